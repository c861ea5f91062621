: GABA-A receptor of two states as one gate per instance, pulse switched by flags 0 and 1; derivative with IF-free switch
NEURON {
    POINT_PROCESS GabaPulse
    RANGE gmax, R, g, i, C, Cmax, Cdur, alpha, beta, erev
    NONSPECIFIC_CURRENT i
}
UNITS { (nA) = (nanoamp) (mV) = (millivolt) (uS) = (microsiemens) (mM) = (milli/liter) }
PARAMETER {
    Cmax = 1 (mM)
    Cdur = 0.8 (ms)
    alpha = 4 (/ms mM)
    beta = 0.16 (/ms)
    erev = -78 (mV)
    gmax = 0.004 (uS)
}
ASSIGNED { v (mV) i (nA) g (uS) C (mM) tlast (ms) }
STATE { R }
INITIAL { R = 0 C = 0 tlast = -1e9 }
BREAKPOINT {
    SOLVE bind METHOD cnexp
    g = gmax*R
    i = g*(v - erev)
}
DERIVATIVE bind { R' = alpha*C*(1 - R) - beta*R }
NET_RECEIVE(weight) {
    IF (flag == 0) {
        C = Cmax*weight
        tlast = t
        net_send(Cdur, 1)
    } ELSE {
        : a pulse that was prolonged is not ended by the earlier self event
        IF (t - tlast > Cdur - 1e-6) { C = 0 }
    }
}
