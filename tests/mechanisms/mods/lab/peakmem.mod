: memory in ASSIGNED: largest voltage, its time and a count of upward crossings, kept by BREAKPOINT of a mechanism without current
NEURON { SUFFIX peakmem RANGE vmax, tmax, crossings, thresh, above, mean, width }
UNITS { (mV) = (millivolt) }
PARAMETER { thresh = -20 (mV) }
ASSIGNED { v (mV) dt (ms) vmax (mV) tmax (ms) crossings above mean (mV) width (ms) }
INITIAL {
    vmax = v  tmax = t  crossings = 0  mean = v  width = 0
    above = 0
    if (v > thresh) { above = 1 }
}
BREAKPOINT {
    if (v > vmax) { vmax = v  tmax = t }
    if (v > thresh) {
        if (!above) { crossings = crossings + 1 }
        above = 1
        width = width + dt
    } else { above = 0 }
    mean = mean + dt*(v - mean)/20
}
