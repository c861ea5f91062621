: the same memory in a mechanism with a current: NEURON runs BREAKPOINT twice in a step, first at v + 0.001
NEURON { SUFFIX peakcur NONSPECIFIC_CURRENT i RANGE vmax, g, e, calls }
UNITS { (mV) = (millivolt) (mA) = (milliamp) (S) = (siemens) }
PARAMETER { g = 1e-4 (S/cm2) e = -75 (mV) }
ASSIGNED { v (mV) i (mA/cm2) vmax (mV) calls }
INITIAL { vmax = -1000 calls = 0 }
BREAKPOINT {
    IF (v > vmax) {
        vmax = v
    }
    calls = calls + 1
    i = g*(1 + 0.01*(vmax + 70))*(v - e)
}
