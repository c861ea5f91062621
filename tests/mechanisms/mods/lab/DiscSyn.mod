: events that use state_discontinuity, the old way to change a STATE; tau is guarded in BREAKPOINT
NEURON { POINT_PROCESS DiscSyn RANGE tau, e, i NONSPECIFIC_CURRENT i }
UNITS { (nA) = (nanoamp) (mV) = (millivolt) (umho) = (micromho) }
PARAMETER { tau = 3 (ms) e = -75 (mV) }
ASSIGNED { v (mV) i (nA) }
STATE { g (umho) }
INITIAL { g = 0 }
BREAKPOINT {
  if (tau < 0.1) { tau = 0.1 }
  SOLVE state METHOD cnexp
  i = g*(v - e)
}
DERIVATIVE state { g' = -g/tau }
NET_RECEIVE(weight (umho)) { state_discontinuity(g, g + weight) }
