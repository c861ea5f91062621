: train of current pulses made by self events: INITIAL sends the first, flags 1 and 2 switch on and off
NEURON {
    POINT_PROCESS PulseTrain
    ELECTRODE_CURRENT i
    RANGE del, width, gap, number, amp, i, count
}
UNITS { (nA) = (nanoamp) }
PARAMETER { del = 15 (ms) width = 8 (ms) gap = 17 (ms) number = 5 amp = 0.06 (nA) }
ASSIGNED { i (nA) level (nA) count }
INITIAL {
    level = 0
    count = 0
    i = 0
    if (number > 0) { net_send(del, 1) }
}
BREAKPOINT { i = level }
NET_RECEIVE (w) {
    if (flag == 1) {
        level = amp
        count = count + 1
        net_send(width, 2)
    } else if (flag == 2) {
        level = 0
        if (count < number) { net_send(gap, 1) }
    } else {
        amp = amp + w
    }
}
