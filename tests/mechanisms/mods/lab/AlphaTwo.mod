: alpha synapse with events, as a KINETIC scheme a -> g -> nothing with the peak at tau; METHOD sparse; k*exp(1) by weight
NEURON {
    POINT_PROCESS AlphaTwo
    NONSPECIFIC_CURRENT i
    RANGE tau, e, i
}
UNITS { (nA) = (nanoamp) (mV) = (millivolt) (uS) = (microsiemens) }
PARAMETER { tau = 2 (ms) e = 0 (mV) }
ASSIGNED { v (mV) i (nA) }
STATE { a (uS) g (uS) }
INITIAL { a = 0  g = 0 }
BREAKPOINT {
    SOLVE chain METHOD sparse
    i = g*(v - e)
}
KINETIC chain {
    ~ a <-> g (1/tau, 0)
    ~ g -> (1/tau)
}
NET_RECEIVE(weight (uS)) { a = a + weight*exp(1) }
