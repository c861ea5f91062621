: KINETIC sodium channel of 8 states in two rows, rates by FUNCTIONs, CONSERVE, steady state by STEADYSTATE sparse
NEURON {
    SUFFIX na8st
    USEION na READ ena WRITE ina
    RANGE gbar, g, drift
}
UNITS { (mV) = (millivolt)  (mA) = (milliamp)  (mS) = (millisiemens) }
PARAMETER {
    gbar = 60 (mS/cm2)
    drift = 0 (mV)
    ain = 1.4 (/ms)   aout = 0.05 (/ms)
    ion_ = 0.02 (/ms)  iof = 0.0015 (/ms)
    q10 = 3
}
ASSIGNED { v (mV) ena (mV) celsius (degC) ina (mA/cm2) g (mS/cm2) qt f }
STATE { C1 C2 C3 O I1 I2 I3 I4 }

INITIAL {
    qt = q10^((celsius - 22(degC))/10(degC))
    f = 3
    SOLVE scheme STEADYSTATE sparse
}
BREAKPOINT {
    SOLVE scheme METHOD sparse
    g = gbar*O
    ina = (0.001)*g*(v - ena)
}
KINETIC scheme { LOCAL a, b
    a = qt*fa(v - drift)
    b = qt*fb(v - drift)
    ~ C1 <-> C2 (3*a, b)
    ~ C2 <-> C3 (2*a, 2*b)
    ~ C3 <-> O  (a, 3*b)
    ~ I1 <-> I2 (3*a*f, b/f)
    ~ I2 <-> I3 (2*a*f, 2*b/f)
    ~ I3 <-> I4 (a, 3*b)
    ~ C1 <-> I1 (qt*ion_, qt*iof*f^4)
    ~ C2 <-> I2 (qt*ion_*f^2, qt*iof*f^2)
    ~ C3 <-> I3 (qt*ion_*f^4, qt*iof)
    ~ O  <-> I4 (qt*ain, qt*ain*iof/(ion_*f^4))
    CONSERVE C1 + C2 + C3 + O + I1 + I2 + I3 + I4 = 1
}
FUNCTION fa(v (mV)) (/ms) { fa = 4 (/ms) * exp(v/26(mV)) }
FUNCTION fb(v (mV)) (/ms) { fb = 0.18 (/ms) * exp(-v/18(mV)) }
