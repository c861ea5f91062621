TITLE Sodium, potassium and leak currents of the squid giant axon

COMMENT
i = gna m^3 h (v - ena) + gk n^4 (v - ek) + gleak (v - eleak); each gate x follows x' = alpha_x (1 - x) - beta_x x:

    alpha_m = 0.1 r(-(v + 40))              beta_m = 4 exp(-(v + 65)/18)
    alpha_h = 0.07 exp(-(v + 65)/20)        beta_h = 1 / (1 + exp(-(v + 35)/10))
    alpha_n = 0.01 r(-(v + 55))             beta_n = 0.125 exp(-(v + 65)/80)
    r(x) = x / (exp(x/10) - 1)

Hodgkin and Huxley 1952 with rest at -65 mV, at the temperature of the recordings (6.3 degC). The channel that Jaxley
brings has these equations; written here, NEURON and ketune run the same. One nonspecific current: its parts need no ions
of their own.
ENDCOMMENT

NEURON {
    SUFFIX hhsoma
    NONSPECIFIC_CURRENT i
    RANGE gna, gk, gleak, vna, vk, vleak, i
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gna = 0.12 (S/cm2) <0, 10>
    gk = 0.036 (S/cm2) <0, 10>
    gleak = 0.0003 (S/cm2) <0, 1>
    vna = 50 (mV) <0, 120>
    vk = -77 (mV) <-120, 0>
    vleak = -54.3 (mV) <-120, 0>
}

STATE {
    m h n
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
    minf (1)
    hinf (1)
    ninf (1)
    mtau (ms)
    htau (ms)
    ntau (ms)
}

INITIAL {
    rates(v)
    m = minf
    h = hinf
    n = ninf
}

BREAKPOINT {
    SOLVE gates METHOD cnexp
    i = gna*m^3*h*(v - vna) + gk*n^4*(v - vk) + gleak*(v - vleak)
}

DERIVATIVE gates {
    rates(v)
    m' = (minf - m)/mtau
    h' = (hinf - h)/htau
    n' = (ninf - n)/ntau
}

PROCEDURE rates(u (mV)) {
    LOCAL a, b
    a = 0.1 (/ms/mV)*r(-(u + 40 (mV)))
    b = 4 (/ms)*exp(-(u + 65 (mV))/18 (mV))
    minf = a/(a + b)
    mtau = 1/(a + b)
    a = 0.07 (/ms)*exp(-(u + 65 (mV))/20 (mV))
    b = 1 (/ms)/(1 + exp(-(u + 35 (mV))/10 (mV)))
    hinf = a/(a + b)
    htau = 1/(a + b)
    a = 0.01 (/ms/mV)*r(-(u + 55 (mV)))
    b = 0.125 (/ms)*exp(-(u + 65 (mV))/80 (mV))
    ninf = a/(a + b)
    ntau = 1/(a + b)
}

: x / (exp(x/10) - 1), by its series (exact to 1e-15) near 0/0
FUNCTION r(x (mV)) (mV) {
    LOCAL y
    y = x/10 (mV)
    IF (fabs(y) < 0.02) {
        r = 10 (mV)*(1 - y/2 + y^2/12 - y^4/720)
    } ELSE {
        r = x/(exp(y) - 1)
    }
}
