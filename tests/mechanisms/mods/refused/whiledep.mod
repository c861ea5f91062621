: refused: a WHILE loop whose length depends on the data (a half-way search for a root); NEURON compiles it
NEURON { SUFFIX refwhile NONSPECIFIC_CURRENT i RANGE g, e, lim }
UNITS { (mV) = (millivolt) (S) = (siemens) (mA) = (milliamp) }
PARAMETER { g = 1e-4 (S/cm2) e = -60 (mV) }
ASSIGNED { v (mV) i (mA/cm2) lim }
BREAKPOINT { lim = root(v) i = g*lim*(v - e) }
FUNCTION root(v (mV)) { LOCAL lo, hi, mid
    lo = 0  hi = 1  mid = 0.5
    WHILE (hi - lo > 1e-6) {
        mid = (lo + hi)/2
        IF (mid + mid^3 < exp(v/50)) { lo = mid } ELSE { hi = mid }
    }
    root = mid
}
