TITLE AMPA and NMDA with presynaptic short-term dynamics, the mean of a probabilistic synapse
COMMENT
/**
 * Release is deterministic: Use, Dep and Fac as in Fuhrmann and others 2002, all variables in NET_RECEIVE arguments.
 * States of the receptors are advanced exactly, by PROCEDURE and SOLVE without METHOD, with steps made in INITIAL.
 */
ENDCOMMENT


NEURON {
    THREADSAFE
    POINT_PROCESS DetAmpaNmda
    RANGE tau_r_AMPA, tau_d_AMPA, tau_r_NMDA, tau_d_NMDA
    RANGE Use, u, Dep, Fac, u0, mg, NMDA_ratio
    RANGE i, i_AMPA, i_NMDA, g_AMPA, g_NMDA, g, e
    RANGE A_AMPA_step, B_AMPA_step, A_NMDA_step, B_NMDA_step
    NONSPECIFIC_CURRENT i
}


PARAMETER {
    tau_r_AMPA = 0.2   (ms)  : dual-exponential conductance profile
    tau_d_AMPA = 1.7   (ms)  : tau_r < tau_d
    tau_r_NMDA = 0.3   (ms)
    tau_d_NMDA = 43    (ms)
    Use = 0.5  (1)
    Dep = 150  (ms)
    Fac = 10   (ms)
    e = 0      (mV)
    mg = 1     (mM)
    gmax = .001 (uS)
    u0 = 0
    NMDA_ratio = 0.71 (1)
}

UNITS {
    (nA) = (nanoamp)
    (mV) = (millivolt)
    (uS) = (micromho)
    (mM) = (milli/liter)
}

ASSIGNED {
    v (mV)
    dt (ms)
    i (nA)
    i_AMPA (nA)
    i_NMDA (nA)
    g_AMPA (uS)
    g_NMDA (uS)
    g (uS)
    factor_AMPA
    factor_NMDA
    A_AMPA_step
    B_AMPA_step
    A_NMDA_step
    B_NMDA_step
    mggate
    u
}

STATE {
    A_AMPA
    B_AMPA
    A_NMDA
    B_NMDA
}

INITIAL{
    LOCAL tp_AMPA, tp_NMDA

    A_AMPA = 0
    B_AMPA = 0
    A_NMDA = 0
    B_NMDA = 0

    tp_AMPA = log(tau_d_AMPA/tau_r_AMPA)*(tau_r_AMPA*tau_d_AMPA)/(tau_d_AMPA-tau_r_AMPA)
    tp_NMDA = log(tau_d_NMDA/tau_r_NMDA)*(tau_r_NMDA*tau_d_NMDA)/(tau_d_NMDA-tau_r_NMDA)
    factor_AMPA = 1/(exp(-tp_AMPA/tau_d_AMPA) - exp(-tp_AMPA/tau_r_AMPA))
    factor_NMDA = 1/(exp(-tp_NMDA/tau_d_NMDA) - exp(-tp_NMDA/tau_r_NMDA))

    A_AMPA_step = exp(dt*(( - 1.0 ) / tau_r_AMPA))
    B_AMPA_step = exp(dt*(( - 1.0 ) / tau_d_AMPA))
    A_NMDA_step = exp(dt*(( - 1.0 ) / tau_r_NMDA))
    B_NMDA_step = exp(dt*(( - 1.0 ) / tau_d_NMDA))
}

BREAKPOINT {
    SOLVE state
    mggate = 1 / (1 + exp(0.062 (/mV) * -(v)) * (mg / 3.57 (mM)))
    g_AMPA = gmax*(B_AMPA-A_AMPA)
    g_NMDA = gmax*(B_NMDA-A_NMDA) * mggate
    g = g_AMPA + g_NMDA
    i_AMPA = g_AMPA*(v-e)
    i_NMDA = g_NMDA*(v-e)
    i = i_AMPA + i_NMDA
}

PROCEDURE state() {
    A_AMPA = A_AMPA*A_AMPA_step
    B_AMPA = B_AMPA*B_AMPA_step
    A_NMDA = A_NMDA*A_NMDA_step
    B_NMDA = B_NMDA*B_NMDA_step
}

NET_RECEIVE (weight, weight_AMPA, weight_NMDA, R, Pr, u, tsyn (ms)){
    INITIAL{
        R=1
        u=u0
        tsyn=t
        Pr=0
    }

    if (weight <= 0) {
        R = R      : nothing
    } else {
        : facilitation, then depression since the last event, then release
        if (Fac > 0) { u = u*exp(-(t - tsyn)/Fac) } else { u = Use }
        if (Fac > 0) { u = u + Use*(1-u) }
        R  = 1 - (1-R) * exp(-(t-tsyn)/Dep)
        Pr  = u * R
        R  = R - u * R
        tsyn = t

        weight_AMPA = weight
        weight_NMDA = weight * NMDA_ratio
        A_AMPA = A_AMPA + Pr*weight_AMPA*factor_AMPA
        B_AMPA = B_AMPA + Pr*weight_AMPA*factor_AMPA
        A_NMDA = A_NMDA + Pr*weight_NMDA*factor_NMDA
        B_NMDA = B_NMDA + Pr*weight_NMDA*factor_NMDA
    }
}
