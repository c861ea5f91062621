COMMENT
A persistent sodium current with an instantaneous gate: minf is set in the DERIVATIVE block and used in BREAKPOINT, so
its value has to survive from one block to the next. ELSE IF chains, nested calls, shadowed names.
ENDCOMMENT
NEURON {
    SUFFIX instant
    USEION na READ ena WRITE ina
    RANGE g, gna, scale
    GLOBAL slope, where
}
UNITS {
    (mV) = (millivolt)
    (S) = (siemens)
}
CONSTANT { half = -48 (mV) }
PARAMETER {
    g = 2e-4 (S/cm2) <0, 1>
    slope = 5 (mV)
    where = 1
    ena (mV)
}
STATE { s }
ASSIGNED { v (mV) ina (mA/cm2) gna (S/cm2) minf sinf tau (ms) scale celsius (degC) }
INITIAL {
    settle(v)
    s = sinf
}
BREAKPOINT {
    SOLVE gate METHOD cnexp
    gna = g*minf*s*(1 + scale)
    ina = gna*(v - ena)
}
DERIVATIVE gate {
    LOCAL a, b
    settle(v)
    a = sinf/tau
    b = 1/tau
    s' = a*(1 - s) - (b - a)*s
}
PROCEDURE settle(v (mV)) {
    LOCAL a
    a = where
    limits(v + a - where)
    minf = a*boltz(v - half)
    sinf = 1 - 0.9*boltz(v + 50)
    UNITSOFF
    if (v < -70) {
        tau = 40
    } else if (v < -30 && !(v > -40)) {
        tau = 40 - (v + 70)
        if (tau < 15) { tau = 15 }
    } else {
        tau = exp(log(15))/(1 + fabs(v + 40)^1.5/1000)
    }
    UNITSON
}
PROCEDURE limits(v (mV)) {
    LOCAL a
    a = 2
    v = v + a
    minf = v
}
FUNCTION boltz(x (mV)) { boltz = 1/(1 + inner(-x)) }
FUNCTION inner(x (mV)) { LOCAL q q = x/slope  inner = exp(q) }
