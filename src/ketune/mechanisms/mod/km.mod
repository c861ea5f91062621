TITLE Slow, muscarine-sensitive potassium current of cortical pyramidal neurons

COMMENT
ik = gbar tadj n (v - ek), with

    alpha_n = r(v; 0.001, -30, 9)     beta_n = r(-v; 0.001, 30, 9)
    r(v; A, v0, q) = A (v - v0) / (1 - exp(-(v - v0)/q))

Mainen and Sejnowski 1996 (rates at 23 degC). tadj = 2.3^((celsius - 23)/10) multiplies the rates and, as
in the source, the conductance: gbar is the density at 23 degC.
ENDCOMMENT

NEURON {
    SUFFIX km
    USEION k READ ek WRITE ik
    RANGE gbar, ninf, ntau, tadj
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0.0003 (S/cm2) <0, 10>
}

STATE {
    n
}

ASSIGNED {
    v (mV)
    celsius (degC)
    ek (mV)
    ik (mA/cm2)
    ninf (1)
    ntau (ms)
    tadj (1)
}

INITIAL {
    tadj = 2.3^((celsius - 23 (degC))/10 (degC))
    rates(v)
    n = ninf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ik = gbar*tadj*n*(v - ek)
}

DERIVATIVE states {
    rates(v)
    n' = (ninf - n)/ntau
}

PROCEDURE rates(v (mV)) {
    LOCAL a, b
    a = rate(v, 0.001 (/ms/mV), -30 (mV), 9 (mV))
    b = rate(-v, 0.001 (/ms/mV), 30 (mV), 9 (mV))
    ninf = a/(a + b)
    ntau = 1/(tadj*(a + b))
}

: A (v - v0) / (1 - exp(-(v - v0)/q)), by its series (exact to 1e-15) near 0/0
FUNCTION rate(v (mV), A (/ms/mV), v0 (mV), q (mV)) (/ms) {
    LOCAL x
    x = (v - v0)/q
    IF (fabs(x) < 0.02) {
        rate = A*q*(1 + x/2 + x^2/12 - x^4/720)
    } ELSE {
        rate = A*q*x/(1 - exp(-x))
    }
}
