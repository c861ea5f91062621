: CONSTANT block, constants of nature in UNITS, conversion factors in brackets, CONDUCTANCE hint for an ion
NEURON {
    SUFFIX constk
    USEION k READ ko, ki WRITE ik
    RANGE gbar, g, erev, z
    THREADSAFE
}
CONSTANT {
    Avogadro = 6.022e23 (1)
    qe = 1.602e-19 (coulomb)
    q10k = 1.4
}
UNITS {
    (mV) = (millivolt)  (mA) = (milliamp)  (pS) = (picosiemens)  (um) = (micron)
    (molar) = (1/liter) (mM) = (millimolar)
    F = (faraday) (coulomb)
    Rgas = (k-mole) (joule/degC)
    PI = (pi) (1)
    (S) = (siemens)
    KELVIN = 273.15 (degC)
}
PARAMETER {
    gbar = 25 (pS/um2)
    z = 3.1 (1)
}
STATE { n }
ASSIGNED {
    v (mV) celsius (degC) ko (mM) ki (mM) ik (mA/cm2)
    g (S/cm2) erev (mV) kT (mV) spare (1)
}
INITIAL {
    kT = (1000)*Rgas*(celsius + KELVIN)/F
    erev = kT*log(ko/ki)
    n = 1/(1 + exp(-z*(v + 40)/kT))
    spare = Avogadro*qe/F
}
BREAKPOINT {
    SOLVE gate METHOD cnexp
    erev = kT*log(ko/ki)
    g = (1e-4)*gbar*n*spare
    ik = g*(v - erev)
}
DERIVATIVE gate { LOCAL hot, tau
    hot = q10k^((celsius - 20 (degC))/10 (degC))
    tau = 3 (ms) + 2(ms)*sin(PI/2)
    n' = hot*(1/(1 + exp(-z*(v + 40 (mV))/kT)) - n)/tau
}
