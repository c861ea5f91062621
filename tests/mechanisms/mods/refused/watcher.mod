: refused: WATCH alone, a spike detector that switches a conductance (NEURON compiles it)
NEURON { POINT_PROCESS refwatch NONSPECIFIC_CURRENT i RANGE g, tau, e, th }
UNITS { (mV) = (millivolt) (nA) = (nanoamp) (uS) = (microsiemens) }
PARAMETER { g = 0.01 (uS) tau = 20 (ms) e = -85 (mV) th = -30 (mV) }
STATE { a }
ASSIGNED { v (mV) i (nA) }
INITIAL { a = 0 net_send(0, 1) }
BREAKPOINT { SOLVE d METHOD cnexp i = g*a*(v - e) }
DERIVATIVE d { a' = -a/tau }
NET_RECEIVE(w) {
    if (flag == 1) { WATCH (v > th) 2
    } else if (flag == 2) { a = a + 1 }
}
