TITLE Hyperpolarisation-activated cation current (HCN1), with ketamine

COMMENT
i = gbar (1 - rho_ket) m (v - ehcn), with u = v + dv_ket and

    alpha_m = 0.00643 (u + 154.9) / (exp((u + 154.9)/11.9) - 1)
    beta_m  = 0.193 exp(u/33.1)

Kole, Hallermann and Stuart 2006, near 34 degC; the source gives no temperature factor and none is added.

Ketamine shifts activation to hyperpolarised voltages and reduces the current (Chen, Shu and Bayliss 2009):
dv_ket is the size of that shift (positive: half activation moves down by dv_ket), rho_ket the lost fraction of
the conductance.
ENDCOMMENT

NEURON {
    SUFFIX hcn1
    NONSPECIFIC_CURRENT i
    RANGE gbar, ehcn, dv_ket, rho_ket, i, minf, mtau
}

UNITS {
    (mV) = (millivolt)
    (mA) = (milliamp)
    (S) = (siemens)
}

PARAMETER {
    gbar = 8e-5 (S/cm2) <0, 10>
    ehcn = -45 (mV) <-100, 20>
    dv_ket = 0 (mV) <-40, 40>
    rho_ket = 0 (1) <0, 1>
}

STATE {
    m
}

ASSIGNED {
    v (mV)
    i (mA/cm2)
    minf (1)
    mtau (ms)
}

INITIAL {
    rates(v + dv_ket)
    m = minf
}

BREAKPOINT {
    SOLVE states METHOD cnexp
    i = gbar*(1 - rho_ket)*m*(v - ehcn)
}

DERIVATIVE states {
    rates(v + dv_ket)
    m' = (minf - m)/mtau
}

PROCEDURE rates(u (mV)) {
    LOCAL x, a, b
    x = (u + 154.9 (mV))/11.9 (mV)
    IF (fabs(x) < 0.02) { : near 0/0, by its series (exact to 1e-15)
        a = 0.00643 (/ms/mV)*11.9 (mV)*(1 - x/2 + x^2/12 - x^4/720)
    } ELSE {
        a = 0.00643 (/ms/mV)*11.9 (mV)*x/(exp(x) - 1)
    }
    b = 0.193 (/ms)*exp(u/33.1 (mV))
    minf = a/(a + b)
    mtau = 1/(a + b)
}
