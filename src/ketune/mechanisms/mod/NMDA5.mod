TITLE NMDA receptor synapse, five-state scheme with ketamine trapped in the channel

COMMENT
    C0 -- C1 -- C2 -- O          glutamate binds twice; the channel opens (O) or desensitises (D)
                |     |
                D     |
                      |          ketamine binds and leaves while the gate is open and the pore free of magnesium
                D*    |
                |     |
    C0*-- C1*-- C2*-- O*         the same gating with ketamine inside: symmetric trapping

i = gmax O u(v) (v - e); block is the sum of the starred states (in the code C0B to OB).

Gating: Destexhe, Mainen and Sejnowski 1996, fitted to slices (Hessler et al. 1993); no temperature factor.
Magnesium is fast and in equilibrium with every state, u(v) = 1 / (1 + mg/k_mg exp(-slope_mg v)) is the share of free
pores (Jahr and Stevens 1990; for steeper blocks see NMDA.mod).

    O  -> O*   k_on ket u(v)
    O* -> O    k_off(v) = k_on k_ket(v)
    k_ket(v)   = scale_ket k_ref exp(delta (v + 66 mV) F/(R T))
    C* , D* -> C, D   k_esc

k_ref: 0.33 uM, GluN1/2A at -66 mV without magnesium (Kotermanski and Johnson 2009, recalled). delta: 0.79 (Gilling
et al. 2009). k_on: the macroscopic 0.15 /uM/s of Gilling et al. 2009 over the steady open probability of this gating
with saturating glutamate and no magnesium, 0.220 (relaxation needs an open gate, 1/tau = Po (k_on ket + k_off)).
k_esc: 1.26e-3 /s, from the 86 % of block left after 120 s without agonist (Mealing et al. 1999).
That voltage acts on unbinding alone is assumed; so is that the drug leaves gating as it is.

Microscopic reversibility: with k_esc = 0 the scheme is a tree (the two copies are joined by O - O* alone), so it
holds, and the equilibrium block is ket/(ket + k_ket/u) exactly. k_esc breaks it: it is a way out without its way in. In
balance the drug would enter closed channels at k_esc ket u/k_ket (26 s at 10 uM without magnesium and agonist),
which a use-dependent blocker does not do; the escape stands for a slow leak into drug-free saline. It lowers the
block, the more so the more rarely the receptors open.

Glutamate: an event adds weight*glu_peak to the cleft, which empties with tau_glu (Clements et al. 1992: 1 mM,
1.2 ms). One instance is one synapse: its receptors saturate, so a second event adds less than the first. Default
gmax: an event of weight 1 at rest peaks at 0.4 nS without magnesium and drug.

The block relaxes in seconds to minutes, so block0 starts it where it belongs: block0 of the receptors hold the drug
at time 0, the rest is unbound.

No published NMODL file with an explicit ketamine-bound state was found in a limited search (2026-11).
ENDCOMMENT

NEURON {
    POINT_PROCESS NMDA5
    NONSPECIFIC_CURRENT i
    RANGE gmax, e, glu_peak, tau_glu, rb, ru, rd, rr, ro, rc, mg, k_mg, slope_mg
    RANGE ket, k_on, k_ref, scale_ket, delta, k_esc, block0
    RANGE i, g, block, vt, bind, enter, leave
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
    gmax = 0.0014 (uS) <0, 1>
    e = 0 (mV) <-120, 40>
    glu_peak = 1 (mM) <0, 100>
    tau_glu = 1.2 (ms) <0.01, 1000>
    rb = 5 (/mM/ms) <0, 1000>
    ru = 0.0129 (/ms) <0, 1000>
    rd = 0.0084 (/ms) <0, 1000>
    rr = 0.0068 (/ms) <0, 1000>
    ro = 0.0465 (/ms) <0, 1000>
    rc = 0.0738 (/ms) <0, 1000>
    mg = 1 (mM) <0, 10>
    k_mg = 3.57 (mM) <0.01, 100>
    slope_mg = 0.062 (/mV) <0, 0.2>
    ket = 0 (uM) <0, 1e5>
    k_on = 6.8e-4 (/uM/ms) <0, 1000>
    k_ref = 0.33 (uM) <1e-4, 1e4>
    scale_ket = 1 (1) <0.01, 100>
    delta = 0.79 (1) <0, 2>
    k_esc = 1.26e-6 (/ms) <0, 1000>
    block0 = 0 (1) <0, 1>
}

STATE {
    glu (mM)
    C0 (1)
    C1 (1)
    C2 (1)
    D (1)
    O (1)
    C0B (1)
    C1B (1)
    C2B (1)
    DB (1)
    OB (1)
}

ASSIGNED {
    v (mV)
    celsius (degC)
    i (nA)
    g (uS)
    block (1)
    vt (mV)
    bind (/ms)
    enter (/ms)
    leave (/ms)
}

INITIAL {
    vt = (1000)*R*(celsius + 273.15 (degC))/FARADAY
    glu = 0
    C0 = 1 - block0
    C1 = 0
    C2 = 0
    D = 0
    O = 0
    C0B = block0
    C1B = 0
    C2B = 0
    DB = 0
    OB = 0
    rates(v)
}

BREAKPOINT {
    SOLVE cleft METHOD cnexp
    SOLVE receptor METHOD sparse
    block = C0B + C1B + C2B + DB + OB
    g = gmax*O*unblocked(v)
    i = g*(v - e)
}

DERIVATIVE cleft {
    glu' = -glu/tau_glu
}

KINETIC receptor {
    rates(v)
    ~ C0 <-> C1 (bind, ru)
    ~ C1 <-> C2 (bind, ru)
    ~ C2 <-> D (rd, rr)
    ~ C2 <-> O (ro, rc)
    ~ C0B <-> C1B (bind, ru)
    ~ C1B <-> C2B (bind, ru)
    ~ C2B <-> DB (rd, rr)
    ~ C2B <-> OB (ro, rc)
    ~ O <-> OB (enter, leave)
    ~ C0B <-> C0 (k_esc, 0)
    ~ C1B <-> C1 (k_esc, 0)
    ~ C2B <-> C2 (k_esc, 0)
    ~ DB <-> D (k_esc, 0)
    CONSERVE C0 + C1 + C2 + D + O + C0B + C1B + C2B + DB + OB = 1
}

NET_RECEIVE (weight (1)) {
    glu = glu + weight*glu_peak
}

PROCEDURE rates(v (mV)) {
    bind = rb*glu
    enter = k_on*ket*unblocked(v)
    leave = k_on*scale_ket*k_ref*exp(delta*(v + 66 (mV))/vt)
}

: fraction of channels free of magnesium
FUNCTION unblocked(v (mV)) (1) {
    unblocked = 1/(1 + mg/k_mg*exp(-slope_mg*v))
}
