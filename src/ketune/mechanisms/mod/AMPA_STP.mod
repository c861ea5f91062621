TITLE AMPA receptor synapse with short-term plasticity, bi-exponential conductance

COMMENT
i = gmax (B - A) (v - e). An event of size s adds s*factor to A and B, which decay with tau_r and tau_decay;
factor makes the peak of B - A equal to s, so gmax is the peak conductance of an event of size 1.

Short-term plasticity (Tsodyks, Pawelzik and Markram 1998, in the limit of a short inactive time, with the recursions
between spikes of Fuhrmann et al. 2002). Each connection has its own R, the available resources, and use, the share
of them that a spike takes. At a spike, dt after the last one of the same connection:

    R <- 1 - (1 - R) exp(-dt/tau_rec)       recovered since
    use <- use exp(-dt/tau_facil)           facilitation left
    use <- use + U (1 - use)                facilitation first, then release
    event of size weight use R
    R <- R (1 - use)

At rest R = 1 and use = 0, so the first event has size U*weight: it is not scaled to 1, and gmax is the conductance that
all resources would give at once. Exact for any spike times; nothing is integrated between spikes.
tau_facil = 0.01 ms is no facilitation (use = U at every spike).
R and use belong to the connection (its NET_RECEIVE arguments), A and B to the instance: one instance carries any
number of connections with the same U and times.

The rise must be faster than the decay: tau_rise above 0.99 tau_decay acts as 0.99 tau_decay.
Defaults of one contact: L2/3 model of Iascone et al. 2020.
Defaults: depressing connection between pyramidal cells, of the size in Tsodyks and Markram 1997; give a facilitating
connection for example U 0.05, tau_rec 130 ms, tau_facil 530 ms (Tsodyks, Pawelzik and Markram 1998). Recalled values.
ENDCOMMENT

NEURON {
    POINT_PROCESS AMPA_STP
    NONSPECIFIC_CURRENT i
    RANGE gmax, tau_rise, tau_decay, e, U, tau_rec, tau_facil, i, g, tau_r, factor
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
    U = 0.5 (1) <0, 1>
    tau_rec = 800 (ms) <0.01, 100000>
    tau_facil = 0.01 (ms) <0.01, 100000>
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

NET_RECEIVE (weight (1), R (1), use (1), last (ms)) {
    INITIAL {
        R = 1
        use = 0
        last = t
    }
    R = 1 - (1 - R)*exp(-(t - last)/tau_rec)
    use = use*exp(-(t - last)/tau_facil)
    use = use + U*(1 - use)
    A = A + weight*use*R*factor
    B = B + weight*use*R*factor
    R = R*(1 - use)
    last = t
}
