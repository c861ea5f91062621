TITLE AMPA receptor synapse, bi-exponential conductance

COMMENT
i = gmax (B - A) (v - e). An event adds weight*factor to A and B, which decay with tau_r and tau_decay;
factor makes the peak of B - A equal to the weight, so gmax is the peak conductance of an event of weight 1.
Events add linearly: one instance carries any number of synapses.

The rise must be faster than the decay: tau_rise above 0.99 tau_decay acts as 0.99 tau_decay.
Defaults of one contact: L2/3 model of Iascone et al. 2020.
ENDCOMMENT

NEURON {
    POINT_PROCESS AMPA
    NONSPECIFIC_CURRENT i
    RANGE gmax, tau_rise, tau_decay, e, i, g, tau_r, factor
}

UNITS {
    (nA) = (nanoamp)
    (mV) = (millivolt)
    (uS) = (microsiemens)
    (mM) = (milli/liter)
}

PARAMETER {
    gmax = 0.0004 (uS) <0, 1>
    tau_rise = 0.2 (ms) <0.01, 100>
    tau_decay = 1.7 (ms) <0.02, 1000>
    e = 0 (mV) <-120, 40>
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
    g = gmax*(B - A)
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
