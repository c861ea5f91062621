COMMENT
 A ramp of current from amp0 to amp1, then a plateau. at_time for variable steps; IF with assignments of a LOCAL.
ENDCOMMENT
NEURON {
    POINT_PROCESS RampClamp
    RANGE onset, rise, hold, amp0, amp1, i
    ELECTRODE_CURRENT i
}
UNITS { (nA) = (nanoamp) }
PARAMETER {
    onset = 20 (ms)
    rise = 80 (ms)
    hold = 40 (ms)
    amp0 = -0.05 (nA)
    amp1 = 0.08 (nA)
}
ASSIGNED { i (nA) }
BREAKPOINT {
    LOCAL x
    at_time(onset)  at_time(onset + rise)  at_time(onset + rise + hold)
    x = (t - onset)/rise
    IF (x < 0) {
        i = 0
    } ELSE IF (x < 1) {
        i = amp0 + x*(amp1 - amp0)
    } ELSE IF (t < onset + rise + hold) {
        i = amp1
    } ELSE {
        i = 0
    }
}
