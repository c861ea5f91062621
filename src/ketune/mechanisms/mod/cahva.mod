TITLE High-voltage-activated calcium current of cortical pyramidal neurons

COMMENT
ica = gbar tadj (1 - block) m^2 h (v - eca), with

    alpha_m = r(v; 0.055, -27, 3.8)           beta_m = 0.94 exp(-(v + 75)/17)
    alpha_h = 0.000457 exp(-(v + 13)/50)      beta_h = 0.0065 / (1 + exp(-(v + 15)/28))
    r(v; A, v0, q) = A (v - v0) / (1 - exp(-(v - v0)/q))

Reuveni, Friedman, Amitai and Gutnick 1993; in the L2/3 family of Mainen and Sejnowski 1996. tadj =
q10^((celsius - 23)/10) multiplies the rates and, as in that family, the conductance: gbar is the density at 23 degC.
The L5 models of Hay et al. 2011 use the same rates without a temperature factor: q10 = 1. Default gbar: Smith et al.
2013 (0.5 pS/um2).

block is the blocked fraction of the conductance, set by a drug.
ENDCOMMENT

NEURON {
    SUFFIX cahva
    USEION ca READ eca WRITE ica
    RANGE gbar, q10, block, minf, hinf, mtau, htau, tadj
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gbar = 5e-5 (S/cm2) <0, 10>
    q10 = 2.3 (1) <1, 5>
    block = 0 (1) <0, 1>
}

STATE {
    m
    h
}

ASSIGNED {
    v (mV)
    celsius (degC)
    eca (mV)
    ica (mA/cm2)
    minf (1)
    hinf (1)
    mtau (ms)
    htau (ms)
    tadj (1)
}

INITIAL {
    tadj = q10^((celsius - 23 (degC))/10 (degC))
    rates(v)
    m = minf
    h = hinf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ica = gbar*tadj*(1 - block)*m^2*h*(v - eca)
}

DERIVATIVE states {
    rates(v)
    m' = (minf - m)/mtau
    h' = (hinf - h)/htau
}

PROCEDURE rates(v (mV)) {
    LOCAL a, b
    a = rate(v, 0.055 (/ms/mV), -27 (mV), 3.8 (mV))
    b = 0.94 (/ms)*exp(-(v + 75 (mV))/17 (mV))
    minf = a/(a + b)
    mtau = 1/(tadj*(a + b))
    a = 0.000457 (/ms)*exp(-(v + 13 (mV))/50 (mV))
    b = 0.0065 (/ms)/(1 + exp(-(v + 15 (mV))/28 (mV)))
    hinf = a/(a + b)
    htau = 1/(tadj*(a + b))
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
