TITLE Tonic GABA-A current

COMMENT
i = gain g (v - e): the current of extrasynaptic GABA-A receptors under ambient GABA. gain is 1 without a drug.
ENDCOMMENT

NEURON {
    SUFFIX gabatonic
    NONSPECIFIC_CURRENT i
    RANGE g, e, gain, i
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    g = 0 (S/cm2) <0, 1>
    e = -80 (mV) <-120, 20>
    gain = 1 (1) <0, 100>
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
}

BREAKPOINT {
    i = gain*g*(v - e)
}
