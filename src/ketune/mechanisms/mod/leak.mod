TITLE Ohmic leak

COMMENT
i = g (v - e)

Defaults: membrane resistance 11 kOhm cm2 and rest -79 mV, as in the L2/3 model of Park et al. 2019.
ENDCOMMENT

NEURON {
    SUFFIX leak
    NONSPECIFIC_CURRENT i
    RANGE g, e, i
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    g = 9.0909e-5 (S/cm2) <0, 1>
    e = -79 (mV) <-120, 20>
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
}

BREAKPOINT {
    i = g*(v - e)
}
