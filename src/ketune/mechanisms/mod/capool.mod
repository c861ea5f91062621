TITLE Calcium below the membrane

COMMENT
    d cai/dt = -gamma ica / (2 F depth) - (cai - cai_rest)/decay

Destexhe et al. 1994 (without a pump), in the form of Hay et al. 2011: a shell of this depth, of whose inflow the
fraction gamma stays free; buffers, pumps and diffusion are one exponential return to rest. Defaults of gamma and decay:
soma of the L2/3 model of Iascone et al. 2020.

ica keeps its sign: an outward current would lower cai. It does not occur below eca (about +130 mV), so the rectified
form that other models use gives the same.

Where eca is also read, NEURON sets it by the Nernst equation from cai and cao as soon as this mechanism is present.
ENDCOMMENT

NEURON {
    SUFFIX capool
    USEION ca READ ica WRITE cai
    RANGE gamma, decay, depth, cai_rest
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (um) = (micron)
    (mM) = (milli/liter)
    FARADAY = (faraday) (coulomb)
}

PARAMETER {
    gamma = 5.33e-4 (1) <0, 1>
    decay = 342.5 (ms) <0.1, 10000>
    depth = 0.1 (um) <0.001, 100>
    cai_rest = 1e-4 (mM) <0, 1>
}

STATE {
    cai (mM)
}

ASSIGNED {
    ica (mA/cm2)
}

INITIAL {
    cai = cai_rest
}

BREAKPOINT {
    SOLVE states METHOD cnexp
}

DERIVATIVE states {
    cai' = -(10000)*gamma*ica/(2*FARADAY*depth) - (cai - cai_rest)/decay
}
