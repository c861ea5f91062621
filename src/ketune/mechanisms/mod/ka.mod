TITLE A-type potassium current, proximal form

COMMENT
ik = gbar n l (v - ek). With phi = 1e-3 F/(R T) in 1/mV and T the absolute temperature:

    zeta  = -1.5 - 1/(1 + exp((v + 40)/5))
    n_inf = 1 / (1 + exp(zeta (v - 11) phi))
    tau_n = exp(0.55 zeta (v - 11) phi) / (q10 0.05 (1 + exp(zeta (v - 11) phi))), at least 0.1 ms
    l_inf = 1 / (1 + exp(3 (v + 56) phi))
    tau_l = 0.26 (v + 50), at least 2 ms
    q10   = 5^((celsius - 24 (degC))/10 (degC))

Hoffman et al. 1997, Migliore et al. 1999 (the form used within 100 um of the soma).
ENDCOMMENT

NEURON {
    SUFFIX ka
    USEION k READ ek WRITE ik
    RANGE gbar, ninf, ntau, linf, ltau, q10, phi
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
    FARADAY = (faraday) (coulomb)
    R = (k-mole) (joule/degC)
}

PARAMETER {
    gbar = 0.005 (S/cm2) <0, 10>
}

STATE {
    n
    l
}

ASSIGNED {
    v (mV)
    celsius (degC)
    ek (mV)
    ik (mA/cm2)
    ninf (1)
    ntau (ms)
    linf (1)
    ltau (ms)
    q10 (1)
    phi (/mV)
}

INITIAL {
    q10 = 5^((celsius - 24 (degC))/10 (degC))
    phi = (1e-3)*FARADAY/(R*(celsius + 273.15 (degC)))
    rates(v)
    n = ninf
    l = linf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    ik = gbar*n*l*(v - ek)
}

DERIVATIVE states {
    rates(v)
    n' = (ninf - n)/ntau
    l' = (linf - l)/ltau
}

PROCEDURE rates(v (mV)) {
    LOCAL x, a
    x = (-1.5 - 1/(1 + exp((v + 40 (mV))/5 (mV))))*(v - 11 (mV))*phi
    a = exp(x)
    ninf = 1/(1 + a)
    ntau = exp(0.55*x)/(q10*0.05 (/ms)*(1 + a))
    IF (ntau < 0.1 (ms)) {
        ntau = 0.1 (ms)
    }
    linf = 1/(1 + exp(3*(v + 56 (mV))*phi))
    ltau = 0.26 (ms/mV)*(v + 50 (mV))
    IF (ltau < 2 (ms)) {
        ltau = 2 (ms)
    }
}
