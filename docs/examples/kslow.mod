TITLE slow potassium current, the example of docs/own-mechanisms.md: m opens with depolarisation, Q10 of 2.3

NEURON {
    SUFFIX kslow
    USEION k READ ek WRITE ik
    RANGE gbar, vhalf, ik
}

PARAMETER {
    gbar = 1e-3 (S/cm2) <0, 1>
    vhalf = -35 (mV)
    q10 = 2.3
}

ASSIGNED {
    v (mV)
    celsius (degC)
    ek (mV)
    ik (mA/cm2)
    minf
    mtau (ms)
}

STATE { m }

INITIAL {
    rates(v)
    m = minf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ik = gbar * m * (v - ek)
}

DERIVATIVE states {
    rates(v)
    m' = (minf - m) / mtau
}

PROCEDURE rates(v (mV)) {
    minf = 1 / (1 + exp(-(v - vhalf) / 6))
    mtau = 40 / (exp((v - vhalf) / 20) + exp(-(v - vhalf) / 20)) / q10^((celsius - 23) / 10)
}
