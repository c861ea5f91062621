: L-type calcium: eca read from the ion, voltage gate by alpha and beta, calcium-dependent gate with its own tau
NEURON {
    SUFFIX lcatype
    USEION ca READ cai, eca WRITE ica
    RANGE gmax, g, hca
}
UNITS {
    (mV) = (millivolt)   (mA) = (milliamp)   (S) = (siemens)
    (mM) = (milli/liter)
}
PARAMETER {
    gmax = 4e-4 (S/cm2)
    kca = 0.0006 (mM)
    tauh = 30 (ms)
    n = 2
}
STATE { m  h }
ASSIGNED {
    v (mV)
    eca (mV)
    cai (mM)
    ica (mA/cm2)
    g (S/cm2)
    hca
}
INITIAL {
    m = a(v)/(a(v) + b(v))
    h = hinf(cai)
}
BREAKPOINT {
    SOLVE kin METHOD cnexp
    g = gmax*m^2*h
    ica = g*(v - eca)
}
DERIVATIVE kin {
    hca = hinf(cai)
    m' = (1 - m)*a(v) - m*b(v)
    h' = (hca - h)/tauh
}
FUNCTION a(v (mV)) (/ms) {
    IF (v == -27) { a = 0.055*3.8 } ELSE { a = 0.055(/ms/mV)*(-27(mV) - v)/(exp((-27(mV) - v)/3.8(mV)) - 1) }
}
FUNCTION b(v (mV)) (/ms) { b = 0.94(/ms)*exp((-75(mV) - v)/17(mV)) }
FUNCTION hinf(c (mM)) { hinf = 1/(1 + (c/kca)^n) }
