: METHOD cnexp asked for an equation with a quotient of its state: NEURON says so and takes derivimplicit for the whole block
NEURON { SUFFIX cnexpfall NONSPECIFIC_CURRENT i RANGE g, e, vmax, km }
UNITS { (mV) = (millivolt) (S) = (siemens) (mA) = (milliamp) }
PARAMETER { g = 3e-4 (S/cm2) e = -85 (mV) vmax = 0.05 (/ms) km = 0.2 }
STATE { x z }
ASSIGNED { v (mV) i (mA/cm2) }
INITIAL { x = 0.05 z = 0 }
BREAKPOINT {
    SOLVE clear METHOD cnexp
    i = g*(x + z)*(v - e)
}
DERIVATIVE clear {
    x' = 0.04/(1 + exp(-(v + 45)/6)) - vmax*x/(x + km)
    z' = (sqrt(fabs(x)) - z)/12
}
