TITLE Persistent sodium current

COMMENT
ina = gbar (1 - block) m^3 h (v - ena), with

    m_inf = 1 / (1 + exp(-(v + 52.6)/4.6))
    tau_m from r(v; 0.182, -38, 6) and r(-v; 0.124, 38, 6), six times slower
    h_inf = 1 / (1 + exp((v + 48.8)/10))
    tau_h from r(-v; 2.88e-6, 17, 4.63) and r(v; 6.94e-6, -64.4, 2.63)
    tau   = 1 / (tadj (alpha + beta)),   tadj = 2.3^((celsius - 21)/10)
    r(v; A, v0, q) = A (v - v0) / (1 - exp(-(v - v0)/q))

Magistretti and Alonso 1999 (entorhinal layer II, near 21 degC): steady states and slow inactivation; the cube and
tau_m, six times that of the fast current, are those of Hay et al. 2011. Inactivation takes seconds. No drug of this
package names it yet: block is there for those that do.
ENDCOMMENT

NEURON {
    SUFFIX nap
    USEION na READ ena WRITE ina
    RANGE gbar, block, minf, hinf, mtau, htau, tadj
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gbar = 1e-4 (S/cm2) <0, 10>
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
    tadj = 2.3^((celsius - 21 (degC))/10 (degC))
    rates(v)
    m = minf
    h = hinf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ina = gbar*(1 - block)*m^3*h*(v - ena)
}

DERIVATIVE states {
    rates(v)
    m' = (minf - m)/mtau
    h' = (hinf - h)/htau
}

PROCEDURE rates(v (mV)) {
    LOCAL a, b
    minf = 1/(1 + exp(-(v + 52.6 (mV))/4.6 (mV)))
    a = rate(v, 0.182 (/ms/mV), -38 (mV), 6 (mV))
    b = rate(-v, 0.124 (/ms/mV), 38 (mV), 6 (mV))
    mtau = 6/(tadj*(a + b))
    hinf = 1/(1 + exp((v + 48.8 (mV))/10 (mV)))
    a = rate(-v, 2.88e-6 (/ms/mV), 17 (mV), 4.63 (mV))
    b = rate(v, 6.94e-6 (/ms/mV), -64.4 (mV), 2.63 (mV))
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
