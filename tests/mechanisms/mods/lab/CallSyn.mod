: NET_RECEIVE that calls a PROCEDURE and a FUNCTION, reads v, has LOCALs and a chain of ELSE IF on the flag, and net_move
NEURON {
    POINT_PROCESS CallSyn
    NONSPECIFIC_CURRENT i
    RANGE tau, e, i, delay2, last, n, late
}
UNITS { (nA) = (nanoamp) (mV) = (millivolt) (uS) = (microsiemens) }
PARAMETER { tau = 4 (ms) e = 0 (mV) delay2 = 7 (ms) }
ASSIGNED { v (mV) i (nA) last (ms) n late }
STATE { g (uS) }
INITIAL { g = 0  n = 0  late = 0  last = -1e3  net_send(1e6, 1) }
BREAKPOINT { SOLVE s METHOD cnexp  i = g*(v - e) }
DERIVATIVE s { g' = -g/tau }
NET_RECEIVE(w (uS), boost) { LOCAL amount, gap
    if (flag == 0) {
        gap = t - last
        amount = w*gain(gap, boost)
        if (v > -40 (mV)) { amount = amount/2 }
        add(amount)
        boost = boost + 0.2*(1 - boost)
        last = t
        net_move(t + delay2)
    } else if (flag == 1) {
        late = late + 1
        add(0.0005)
        net_send(1e6, 1)
    } else { n = -1 }
}
PROCEDURE add(x (uS)) {
    g = g + x
    n = n + 1
}
FUNCTION gain(gap (ms), b) { gain = (1 + b)*(1 - 0.6*exp(-gap/20)) }
