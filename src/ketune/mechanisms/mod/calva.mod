TITLE Low-voltage-activated calcium current of cortical pyramidal neurons

COMMENT
ica = gbar (1 - block) m^2 h (v - eca), with

    m_inf = 1 / (1 + exp(-(v + 40)/6))      tau_m = (5 + 20/(1 + exp((v + 35)/5))) / q
    h_inf = 1 / (1 + exp((v + 90)/6.4))     tau_h = (20 + 50/(1 + exp((v + 50)/7))) / q
    q     = 2.3^((celsius - 21)/10)

Avery and Johnston 1996, with time constants from Randall and Tsien 1997, as assembled by Hay et al. 2011 (recorded at
21 degC, and moved by -10 mV for the junction potential). Default gbar: soma of the L2/3 model of Iascone et al. 2020.

block is the blocked fraction of the conductance. Ketamine's calcium target is the L-type current, not this one.
ENDCOMMENT

NEURON {
    SUFFIX calva
    USEION ca READ eca WRITE ica
    RANGE gbar, block, minf, hinf, mtau, htau, tadj
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gbar = 7.78e-4 (S/cm2) <0, 10>
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
    tadj = 2.3^((celsius - 21 (degC))/10 (degC))
    rates(v)
    m = minf
    h = hinf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ica = gbar*(1 - block)*m^2*h*(v - eca)
}

DERIVATIVE states {
    rates(v)
    m' = (minf - m)/mtau
    h' = (hinf - h)/htau
}

PROCEDURE rates(v (mV)) {
    minf = 1/(1 + exp(-(v + 40 (mV))/6 (mV)))
    mtau = (5 (ms) + 20 (ms)/(1 + exp((v + 35 (mV))/5 (mV))))/tadj
    hinf = 1/(1 + exp((v + 90 (mV))/6.4 (mV)))
    htau = (20 (ms) + 50 (ms)/(1 + exp((v + 50 (mV))/7 (mV))))/tadj
}
