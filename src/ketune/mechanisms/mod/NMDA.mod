TITLE NMDA receptor synapse, bi-exponential conductance with magnesium block and drug block

COMMENT
i = gmax (B - A) (1 - block) u(v) (v - e). An event adds weight*factor to A and B, which decay with tau_r and tau_decay;
factor makes the peak of B - A equal to the weight, so gmax is the peak conductance of an event of weight 1
without magnesium or drug.
Events add linearly: one instance carries any number of synapses.

The rise must be faster than the decay: tau_rise above 0.99 tau_decay acts as 0.99 tau_decay.

    u(v) = 1 / (1 + mg/k_mg exp(-slope_mg v))

is the fraction of channels free of magnesium. Presets (k_mg in mM, slope_mg in /mV; a steeper block gives sharper
NMDA spikes):

    3.57, 0.062    Jahr and Stevens 1990 (default)
    4, 0.08        1/(1 + 0.25 exp(-0.08 v)) at 1 mM: Polsky et al. 2004, Larkum et al. 2009, Lavzin et al. 2012,
                   Park et al. 2019
    3.57, 0.08     Iascone et al. 2020
    3.95, 0.062    half block at -66 mV by 0.066 mM, as the ketamine potency of GluN1/2A with and without
                   magnesium implies (Kotermanski and Johnson 2009, recalled)

block is the fraction of channels that hold a trapping blocker such as ketamine, in equilibrium.
Defaults of gmax and times of one contact: L2/3 model of Iascone et al. 2020.
ENDCOMMENT

NEURON {
    POINT_PROCESS NMDA
    NONSPECIFIC_CURRENT i
    RANGE gmax, tau_rise, tau_decay, e, mg, k_mg, slope_mg, block, i, g, tau_r, factor
}

UNITS {
    (nA) = (nanoamp)
    (mV) = (millivolt)
    (uS) = (microsiemens)
    (mM) = (milli/liter)
}

PARAMETER {
    gmax = 0.0004 (uS) <0, 1>
    tau_rise = 2.04 (ms) <0.01, 100>
    tau_decay = 75.2 (ms) <0.02, 1000>
    e = 0 (mV) <-120, 40>
    mg = 1 (mM) <0, 10>
    k_mg = 3.57 (mM) <0.01, 100>
    slope_mg = 0.062 (/mV) <0, 0.2>
    block = 0 (1) <0, 1>
}

STATE {
    A (1)
    B (1)
}

ASSIGNED {
    v (mV)
    i (nA)
    g (uS)
    tau_r (ms)
    factor (1)
}

INITIAL {
    LOCAL tp
    tau_r = tau_rise
    IF (tau_r > 0.99*tau_decay) {
        tau_r = 0.99*tau_decay
    }
    tp = tau_r*tau_decay/(tau_decay - tau_r)*log(tau_decay/tau_r)
    factor = 1/(exp(-tp/tau_decay) - exp(-tp/tau_r))
    A = 0
    B = 0
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    g = gmax*(B - A)*(1 - block)*unblocked(v)
    i = g*(v - e)
}

DERIVATIVE states {
    A' = -A/tau_r
    B' = -B/tau_decay
}

NET_RECEIVE (weight (1)) {
    A = A + weight*factor
    B = B + weight*factor
}

: fraction of channels free of magnesium
FUNCTION unblocked(v (mV)) (1) {
    unblocked = 1/(1 + mg/k_mg*exp(-slope_mg*v))
}
