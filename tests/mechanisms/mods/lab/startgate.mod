: states with START and FROM TO, a state begun from the PARAMETER n0, no assignment in INITIAL, LOCAL inside IF
NEURON { SUFFIX startgate USEION k READ ek WRITE ik RANGE gbar, n0 GLOBAL vh }
UNITS { (mV) = (millivolt) (mA) = (milliamp) (S) = (siemens) }
PARAMETER {
    gbar = 0.002 (S/cm2)
    n0 = 0.4
    vh = -45 (mV) <-100, 50>
}
STATE {
    n FROM 0 TO 1
    slow FROM 0 TO 1 START 0.8
    rest
}
ASSIGNED { v (mV) ek (mV) ik (mA/cm2) tau (ms) }
INITIAL { tau = 4 }
BREAKPOINT {
    SOLVE kin METHOD cnexp
    ik = gbar*n*slow*(1 + rest)*(v - ek)
}
DERIVATIVE kin {
    if (v > vh) { LOCAL x
        x = (v - vh)/10
        tau = 1 + 3*exp(-x)
    } else {
        tau = 4
    }
    n' = (1/(1 + exp((vh - v)/7)) - n)/tau
    slow' = (0.3 + 0.7/(1 + exp((v + 60)/6)) - slow)/60
    rest' = (n - rest)/30
}
