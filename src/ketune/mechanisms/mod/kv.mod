TITLE Delayed-rectifier potassium current of cortical pyramidal neurons

COMMENT
ik = gbar tadj (1 - block) n (v - ek), with u = v - vshift and

    alpha_n = r(u; 0.02, 25, 9)     beta_n = r(-u; 0.002, -25, 9)
    r(u; A, u0, q) = A (u - u0) / (1 - exp(-(u - u0)/q))

Mainen and Sejnowski 1996 (rates at 23 degC). tadj = 2.3^((celsius - 23)/10) multiplies the rates and, as
in the source, the conductance: gbar is the density at 23 degC.

vshift moves activation (positive: to depolarised voltages); block is the blocked fraction of the
conductance. A drug sets both.
ENDCOMMENT

NEURON {
    SUFFIX kv
    USEION k READ ek WRITE ik
    RANGE gbar, vshift, block, ninf, ntau, tadj
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0.005 (S/cm2) <0, 10>
    vshift = 0 (mV) <-40, 40>
    block = 0 (1) <0, 1>
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
    rates(v - vshift)
    n = ninf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ik = gbar*tadj*(1 - block)*n*(v - ek)
}

DERIVATIVE states {
    rates(v - vshift)
    n' = (ninf - n)/ntau
}

PROCEDURE rates(u (mV)) {
    LOCAL a, b
    a = rate(u, 0.02 (/ms/mV), 25 (mV), 9 (mV))
    b = rate(-u, 0.002 (/ms/mV), -25 (mV), 9 (mV))
    ninf = a/(a + b)
    ntau = 1/(tadj*(a + b))
}

: A (u - u0) / (1 - exp(-(u - u0)/q)), by its series (exact to 1e-15) near 0/0
FUNCTION rate(u (mV), A (/ms/mV), u0 (mV), q (mV)) (/ms) {
    LOCAL x
    x = (u - u0)/q
    IF (fabs(x) < 0.02) {
        rate = A*q*(1 + x/2 + x^2/12 - x^4/720)
    } ELSE {
        rate = A*q*x/(1 - exp(-x))
    }
}
