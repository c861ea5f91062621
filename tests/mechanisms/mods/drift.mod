: equations that see each other's new values, a constant rate, and a rate that is a sum of terms
NEURON { SUFFIX drift NONSPECIFIC_CURRENT i RANGE g, e }
UNITS { (mV) = (millivolt) (S) = (siemens) }
PARAMETER { g = 1e-4 (S/cm2) e = -65 (mV) }
STATE { x w z }
ASSIGNED { v (mV) i (mA/cm2) }
INITIAL { x = 0.2 w = 0.1 z = 0 }
BREAKPOINT {
    SOLVE parts METHOD cnexp
    i = g*(x + w^2 + z)*(v - e)
}
DERIVATIVE parts {
    x' = 0.05*(1 - x) - x*exp(v/40)/3
    w' = (x - 2*w)/7
    z' = 0.001*w
}
