TITLE NMDA receptor synapse, ten-state scheme with explicit magnesium, and ketamine trapped in the channel

COMMENT
    U -- C -- O        U unbound, C bound and closed, O open
         |
         D1 -- D2      two desensitised states

Three copies of this scheme: with an empty pore (U, C, O, D1, D2), with magnesium in it (UM to D2M; all five states
exchange with their empty twin) and with ketamine (UB to D2B; exchange at O alone). A pore holds one blocker.
i = gmax O (v - e); block is the sum of the states with ketamine.

Gating and magnesium: Kampa, Clements, Jonas and Stuart 2004 (L5 pyramids, nucleated patches), rates moved to 37 degC
by Branco, Clark and Hausser 2010; no temperature factor. Magnesium, with s = v - 40 mV:

    O to OM         0.05 mg exp(-1.6 s/25 mV)       OM to O         12.8 exp(0.4 s/25 mV)
    U to UM etc.    5e-5 mg exp(-1.6 s/25 mV)       UM to U etc.    0.06 exp(0.4 s/25 mV)

Ketamine, with the gating of the empty pore inside the channel (symmetric trapping):

    O  -> OB   k_on ket
    OB -> O    k_off(v) = k_on k_ket(v)
    k_ket(v)   = scale_ket k_ref exp(delta (v + 66 mV) F/(R T))
    UB, CB, D1B, D2B -> U, C, D1, D2   k_esc

k_ref: 0.33 uM, GluN1/2A at -66 mV without magnesium (Kotermanski and Johnson 2009, recalled). delta: 0.79 (Gilling
et al. 2009). k_on: the macroscopic 0.15 /uM/s of Gilling et al. 2009 over the steady open probability of this gating
with saturating glutamate and no magnesium, 0.0483: 4.6 times the rate of the five-state scheme, because this
gating opens that much less. k_esc: 1.26e-3 /s, from the 86 % of block left after 120 s without agonist (Mealing et al.
1999). That voltage acts on unbinding alone is assumed; so is that the drug leaves gating as it is.

Microscopic reversibility: the loops of gating and magnesium do not balance in the published rates (with magnesium in
the pore glutamate leaves three times faster and the gate is as fast as without; magnesium binds the closed pore 4.7
times less tightly), so with magnesium the receptor is a driven system. Ketamine: with k_esc = 0 its copy hangs on
the rest by O - OB alone, so no loop goes through it and in the steady state no drug circulates. k_esc is a way out
without its way in and breaks this, as in NMDA5.mod.

Glutamate: an event adds weight*glu_peak to the cleft, which empties with tau_glu (Clements et al. 1992: 1 mM,
1.2 ms). One instance is one synapse: its receptors saturate, so a second event adds less than the first. Default
gmax: an event of weight 1 at rest peaks at 0.4 nS without magnesium and drug.

The block relaxes in seconds to minutes, so block0 starts it where it belongs: block0 of the receptors hold the drug
at time 0; all are unbound, the rest in equilibrium with magnesium.

No published NMODL file with an explicit ketamine-bound state was found in a limited search (2026-11).
ENDCOMMENT

NEURON {
    POINT_PROCESS NMDA10
    NONSPECIFIC_CURRENT i
    RANGE gmax, e, glu_peak, tau_glu, rb, ro, rc, ru, rd1, rr1, rd2, rr2, ru_mg, rd1_mg, rr1_mg, rd2_mg, rr2_mg
    RANGE mg, mg_on, mg_off, mg_on_closed, mg_off_closed
    RANGE ket, k_on, k_ref, scale_ket, delta, k_esc, block0
    RANGE i, g, block, vt, bind, open_on, open_off, closed_on, closed_off, enter, leave
}

UNITS {
    (nA) = (nanoamp)
    (mV) = (millivolt)
    (uS) = (microsiemens)
    (mM) = (milli/liter)
    (uM) = (micro/liter)
    FARADAY = (faraday) (coulomb)
    R = (k-mole) (joule/degC)
}

PARAMETER {
    gmax = 0.0018 (uS) <0, 1>
    e = 0 (mV) <-120, 40>
    glu_peak = 1 (mM) <0, 100>
    tau_glu = 1.2 (ms) <0.01, 1000>
    rb = 10 (/mM/ms) <0, 1000>
    ro = 0.0465 (/ms) <0, 1000>
    rc = 0.0916 (/ms) <0, 1000>
    ru = 0.02016 (/ms) <0, 1000>
    rd1 = 0.02266 (/ms) <0, 1000>
    rr1 = 0.00736 (/ms) <0, 1000>
    rd2 = 0.004429 (/ms) <0, 1000>
    rr2 = 0.0023 (/ms) <0, 1000>
    ru_mg = 0.06156 (/ms) <0, 1000>
    rd1_mg = 0.02163 (/ms) <0, 1000>
    rr1_mg = 0.004002 (/ms) <0, 1000>
    rd2_mg = 0.002678 (/ms) <0, 1000>
    rr2_mg = 0.001932 (/ms) <0, 1000>
    mg = 1 (mM) <0, 10>
    mg_on = 0.05 (/mM/ms) <0, 1000>
    mg_off = 12.8 (/ms) <1e-6, 1000>
    mg_on_closed = 5e-5 (/mM/ms) <0, 1000>
    mg_off_closed = 0.06 (/ms) <1e-6, 1000>
    ket = 0 (uM) <0, 1e5>
    k_on = 3.1e-3 (/uM/ms) <0, 1000>
    k_ref = 0.33 (uM) <1e-4, 1e4>
    scale_ket = 1 (1) <0.01, 100>
    delta = 0.79 (1) <0, 2>
    k_esc = 1.26e-6 (/ms) <0, 1000>
    block0 = 0 (1) <0, 1>
}

STATE {
    glu (mM)
    U (1)
    C (1)
    O (1)
    D1 (1)
    D2 (1)
    UM (1)
    CM (1)
    OM (1)
    D1M (1)
    D2M (1)
    UB (1)
    CB (1)
    OB (1)
    D1B (1)
    D2B (1)
}

ASSIGNED {
    v (mV)
    celsius (degC)
    i (nA)
    g (uS)
    block (1)
    vt (mV)
    bind (/ms)
    open_on (/ms)
    open_off (/ms)
    closed_on (/ms)
    closed_off (/ms)
    enter (/ms)
    leave (/ms)
}

INITIAL {
    vt = (1000)*R*(celsius + 273.15 (degC))/FARADAY
    glu = 0
    rates(v)
    U = (1 - block0)*closed_off/(closed_on + closed_off)
    C = 0
    O = 0
    D1 = 0
    D2 = 0
    UM = (1 - block0)*closed_on/(closed_on + closed_off)
    CM = 0
    OM = 0
    D1M = 0
    D2M = 0
    UB = block0
    CB = 0
    OB = 0
    D1B = 0
    D2B = 0
}

BREAKPOINT {
    SOLVE cleft METHOD cnexp
    SOLVE receptor METHOD sparse
    block = UB + CB + OB + D1B + D2B
    g = gmax*O
    i = g*(v - e)
}

DERIVATIVE cleft {
    glu' = -glu/tau_glu
}

KINETIC receptor {
    rates(v)
    ~ U <-> C (bind, ru)
    ~ C <-> O (ro, rc)
    ~ C <-> D1 (rd1, rr1)
    ~ D1 <-> D2 (rd2, rr2)
    ~ UM <-> CM (bind, ru_mg)
    ~ CM <-> OM (ro, rc)
    ~ CM <-> D1M (rd1_mg, rr1_mg)
    ~ D1M <-> D2M (rd2_mg, rr2_mg)
    ~ O <-> OM (open_on, open_off)
    ~ U <-> UM (closed_on, closed_off)
    ~ C <-> CM (closed_on, closed_off)
    ~ D1 <-> D1M (closed_on, closed_off)
    ~ D2 <-> D2M (closed_on, closed_off)
    ~ UB <-> CB (bind, ru)
    ~ CB <-> OB (ro, rc)
    ~ CB <-> D1B (rd1, rr1)
    ~ D1B <-> D2B (rd2, rr2)
    ~ O <-> OB (enter, leave)
    ~ UB <-> U (k_esc, 0)
    ~ CB <-> C (k_esc, 0)
    ~ D1B <-> D1 (k_esc, 0)
    ~ D2B <-> D2 (k_esc, 0)
    CONSERVE U + C + O + D1 + D2 + UM + CM + OM + D1M + D2M + UB + CB + OB + D1B + D2B = 1
}

NET_RECEIVE (weight (1)) {
    glu = glu + weight*glu_peak
}

PROCEDURE rates(v (mV)) {
    LOCAL on, off
    bind = rb*glu
    on = mg*exp(-1.6*(v - 40 (mV))/25 (mV))
    off = exp(0.4*(v - 40 (mV))/25 (mV))
    open_on = mg_on*on
    open_off = mg_off*off
    closed_on = mg_on_closed*on
    closed_off = mg_off_closed*off
    enter = k_on*ket
    leave = k_on*scale_ket*k_ref*exp(delta*(v + 66 (mV))/vt)
}
