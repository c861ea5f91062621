: tonic GABA-A conductance as a point process with outward rectification, a slow level moved by events, area used to report density
NEURON {
    POINT_PROCESS TonicPoint
    NONSPECIFIC_CURRENT i
    RANGE g0, gain, tau, e, i, g, density
}
UNITS { (nA) = (nanoamp) (mV) = (millivolt) (uS) = (microsiemens) (um) = (micron) }
PARAMETER { g0 = 0.0008 (uS) tau = 200 (ms) e = -65 (mV) gain = 1 }
ASSIGNED { v (mV) area (um2) i (nA) g (uS) density (S/cm2) }
STATE { spill (uS) }
INITIAL { spill = 0 }
BREAKPOINT {
    SOLVE d METHOD cnexp
    g = (g0 + spill)*rect(v - e)
    density = (100)*g/area
    i = g*(v - e)
}
DERIVATIVE d { spill' = -spill/tau }
FUNCTION rect(x (mV)) { if (x > 0) { rect = 1 + 0.02*x } else { rect = 1 } }
NET_RECEIVE(w (uS)) { spill = spill + gain*w if (spill > 0.004) { spill = 0.004 } }
