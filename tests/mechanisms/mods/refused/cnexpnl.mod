: METHOD cnexp asked for an equation that is a product of its state (NEURON silently takes exp(dt f'(x)) times x), and coupled ones
NEURON { SUFFIX cnexpnl NONSPECIFIC_CURRENT i RANGE g, e, k }
UNITS { (mV) = (millivolt) (S) = (siemens) (mA) = (milliamp) }
PARAMETER { g = 3e-4 (S/cm2) e = -85 (mV) k = 0.3 (/ms) }
STATE { p q r }
ASSIGNED { v (mV) i (mA/cm2) act }
INITIAL { p = 0.1 q = 0.5 r = 0 }
BREAKPOINT {
    SOLVE growth METHOD cnexp
    i = g*p*q*(v - e)
}
DERIVATIVE growth {
    act = 1/(1 + exp(-(v + 50)/8))
    p' = k*p*(1 - p)*act - 0.05*p
    q' = (1 - p - q)/20
    r' = (q - r)/5
}
