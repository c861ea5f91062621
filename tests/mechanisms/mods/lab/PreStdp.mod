: a weight that learns: pairing rule, events of positive weight are presynaptic, of negative weight postsynaptic; factors per connection
NEURON {
    POINT_PROCESS PreStdp
    RANGE tau, e, i, d, p, dtau, ptau, tpost, wsum
    NONSPECIFIC_CURRENT i
}
UNITS { (nA) = (nanoamp) (mV) = (millivolt) (uS) = (microsiemens) }
PARAMETER {
    tau = 3 (ms)
    e = 0 (mV)
    d = 0.2
    p = 0.8
    dtau = 34 (ms)
    ptau = 17 (ms)
}
ASSIGNED { v (mV) i (nA) tpost (ms) wsum (uS) }
STATE { g (uS) }
INITIAL { g = 0  tpost = -1e9  wsum = 0 }
BREAKPOINT { SOLVE state METHOD cnexp  i = g*(v - e) }
DERIVATIVE state { g' = -g/tau }
NET_RECEIVE(w (uS), A, tpre (ms)) {
    INITIAL { A = 0  tpre = -1e9 }
    if (w >= 0) {
        if (tpre > -1e8) { A = A*exp(-(t - tpre)/ptau) }
        g = g + w + A
        tpre = t
        A = A - d*w*exp((tpost - t)/dtau) + 0.1*p*w
        if (A < -w) { A = -w }
        wsum = wsum + w + A
    } else {
        tpost = t
    }
}
