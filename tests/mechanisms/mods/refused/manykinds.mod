: refused, several constructs at once: POINTER, BBCOREPOINTER, WATCH, VERBATIM and WHILE; all must be listed (NEURON wants bbcore_read and bbcore_write)
NEURON {
    POINT_PROCESS refmany
    NONSPECIFIC_CURRENT i
    POINTER donor
    BBCOREPOINTER rng
    RANGE g, e, th
}
UNITS { (mV) = (millivolt) (nA) = (nanoamp) (uS) = (microsiemens) }
PARAMETER { g = 0.001 (uS) e = 0 (mV) th = -20 (mV) }
ASSIGNED { v (mV) i (nA) donor rng on n }
INITIAL { on = 0 net_send(0, 1) }
BREAKPOINT {
    n = 8
    WHILE (n > v/10) { n = n/2 - 1 }
    i = on*g*(v - e)*(1 + 0*n)
}
NET_RECEIVE(w) {
    if (flag == 1) { WATCH (v > th) 2  WATCH (v < th) 3 }
    if (flag == 2) { on = 1 }
    if (flag == 3) { on = 0 }
}
PROCEDURE seed() {
VERBATIM
    /* nothing */
ENDVERBATIM
}
