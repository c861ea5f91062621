TITLE voltage clamp through a series resistance that steps through a family of voltages

COMMENT
i = (command - v)/rs, inward positive, while on is 1; nothing while it is 0. The command starts at hold, and in the k-th
period of length period goes to low + k step for the second half of the period. It brings `ketune translate` the
voltages at which both engines are compared.
ENDCOMMENT

NEURON {
    POINT_PROCESS benchclamp
    ELECTRODE_CURRENT i
    RANGE on, rs, hold, low, step_, period, i, command
}

UNITS {
    (nA) = (nanoamp)
    (mV) = (millivolt)
}

PARAMETER {
    on = 0 <0, 1>
    rs = 1 (megohm) <1e-3, 1e9>
    hold = -70 (mV) <-200, 200>
    low = -120 (mV) <-200, 200>
    step_ = 20 (mV) <0, 100>
    period = 60 (ms) <1, 1e9>
}

ASSIGNED {
    v (mV)
    i (nA)
    command (mV)
}

BREAKPOINT {
    LOCAL k, within
    k = floor(t/period)
    within = t - k*period
    command = hold
    IF (within >= period/2) {
        command = low + k*step_
    }
    i = on*(command - v)/rs
}
