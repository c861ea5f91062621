TITLE synapse that saturates: an event opens a fraction of the channels that are still closed

NEURON {
    POINT_PROCESS satsyn
    NONSPECIFIC_CURRENT i
    RANGE gmax, tau, e, fraction
}

PARAMETER {
    gmax = 1e-3 (uS) <0, 1>
    tau = 5 (ms) <0.1, 1000>
    e = 0 (mV)
    fraction = 0.5 <0, 1>
}

ASSIGNED {
    v (mV)
    i (nA)
}

STATE { s }

INITIAL { s = 0 }

BREAKPOINT {
    SOLVE states METHOD cnexp
    i = gmax * s * (v - e)
}

DERIVATIVE states { s' = -s / tau }

NET_RECEIVE(weight) { s = s + weight * fraction * (1 - s) }
