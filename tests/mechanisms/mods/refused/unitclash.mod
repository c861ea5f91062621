: refused or at least warned about: units that do not agree (S/cm2 times mV assigned to nA, ms added to mV); NEURON compiles it
NEURON { POINT_PROCESS refunits NONSPECIFIC_CURRENT i RANGE g, e, delay_ }
UNITS { (mV) = (millivolt) (S) = (siemens) (nA) = (nanoamp) }
PARAMETER { g = 1e-3 (S/cm2) e = -60 (mV) delay_ = 2 (ms) }
ASSIGNED { v (mV) i (nA) }
BREAKPOINT { i = g*(v - e + delay_) }
