TITLE Fast sodium current of cortical pyramidal neurons

COMMENT
ina = gbar tadj (1 - block) m^3 h (v - ena), with u = v + vshift and

    alpha_m = r(u; 0.182, -35, 9)     beta_m = r(-u; 0.124, 35, 9)
    tau_h from r(u; 0.024, -50, 5) and r(-u; 0.0091, 75, 5)
    h_inf = 1 / (1 + exp((u + 65)/6.2))
    r(u; A, u0, q) = A (u - u0) / (1 - exp(-(u - u0)/q))

Mainen and Sejnowski 1996 (rates at 23 degC). tadj = 2.3^((celsius - 23)/10) multiplies the rates and, as
in the source, the conductance: gbar is the density at 23 degC.

vshift is added to the voltage, as in the source: a negative value moves activation to depolarised voltages
(-10 mV in the source; later L2/3 models use -5 mV).
block is the blocked fraction of the conductance, set by a drug.
ENDCOMMENT

NEURON {
    SUFFIX nav
    USEION na READ ena WRITE ina
    RANGE gbar, vshift, block, minf, hinf, mtau, htau, tadj
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gbar = 0.05 (S/cm2) <0, 10>
    vshift = -10 (mV) <-40, 40>
    block = 0 (1) <0, 1>
}

STATE {
    m
    h
}

ASSIGNED {
    v (mV)
    celsius (degC)
    ena (mV)
    ina (mA/cm2)
    minf (1)
    hinf (1)
    mtau (ms)
    htau (ms)
    tadj (1)
}

INITIAL {
    tadj = 2.3^((celsius - 23 (degC))/10 (degC))
    rates(v + vshift)
    m = minf
    h = hinf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ina = gbar*tadj*(1 - block)*m^3*h*(v - ena)
}

DERIVATIVE states {
    rates(v + vshift)
    m' = (minf - m)/mtau
    h' = (hinf - h)/htau
}

PROCEDURE rates(u (mV)) {
    LOCAL a, b
    a = rate(u, 0.182 (/ms/mV), -35 (mV), 9 (mV))
    b = rate(-u, 0.124 (/ms/mV), 35 (mV), 9 (mV))
    minf = a/(a + b)
    mtau = 1/(tadj*(a + b))
    a = rate(u, 0.024 (/ms/mV), -50 (mV), 5 (mV))
    b = rate(-u, 0.0091 (/ms/mV), 75 (mV), 5 (mV))
    hinf = 1/(1 + exp((u + 65 (mV))/6.2 (mV)))
    htau = 1/(tadj*(a + b))
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
