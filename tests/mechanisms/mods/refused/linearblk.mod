: refused: LINEAR, the steady state of a gate by linear equations; NEURON compiles it
NEURON { SUFFIX reflinear NONSPECIFIC_CURRENT i RANGE g, e }
UNITS { (mV) = (millivolt) (S) = (siemens) (mA) = (milliamp) }
PARAMETER { g = 1e-4 (S/cm2) e = -60 (mV) }
STATE { c o }
ASSIGNED { v (mV) i (mA/cm2) a b }
INITIAL { rates(v) SOLVE steady }
BREAKPOINT { SOLVE kin METHOD sparse i = g*o*(v - e) }
LINEAR steady {
    ~ a*c - b*o = 0
    ~ c + o = 1
}
KINETIC kin { rates(v) ~ c <-> o (a, b) CONSERVE c + o = 1 }
PROCEDURE rates(v (mV)) { a = exp(v/40)  b = exp(-v/40)/5 }
