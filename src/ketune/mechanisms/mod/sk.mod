TITLE Small-conductance calcium-activated potassium current (SK2)

COMMENT
ik = gbar z (v - ek), with

    z_inf = x / (1 + x),   x = (cai/0.00043 mM)^4.8,   tau_z = 1 ms

Kohler et al. 1996, as in Hay et al. 2011. Independent of voltage; no temperature factor. cai below 1e-7 mM acts as
1e-7 mM. Default gbar: soma of the L2/3 model of Iascone et al. 2020.
ENDCOMMENT

NEURON {
    SUFFIX sk
    USEION k READ ek WRITE ik
    USEION ca READ cai
    RANGE gbar, zinf
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
    (mM) = (milli/liter)
}

PARAMETER {
    gbar = 0.0994 (S/cm2) <0, 10>
}

STATE {
    z
}

ASSIGNED {
    v (mV)
    ek (mV)
    ik (mA/cm2)
    cai (mM)
    zinf (1)
}

INITIAL {
    rates(cai)
    z = zinf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ik = gbar*z*(v - ek)
}

DERIVATIVE states {
    rates(cai)
    z' = (zinf - z)/1 (ms)
}

PROCEDURE rates(ca (mM)) {
    LOCAL c, x
    c = ca
    IF (c < 1e-7 (mM)) {
        c = 1e-7 (mM)
    }
    x = (c/0.00043 (mM))^4.8
    zinf = x/(1 + x)
}
