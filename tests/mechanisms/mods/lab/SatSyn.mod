: saturating synapse: every event opens a fraction of what is still closed, g = g + w*(1 - g)
NEURON {
  POINT_PROCESS SatSyn
  RANGE tau, e, gmax, i, g
  NONSPECIFIC_CURRENT i
}
UNITS { (nA) = (nanoamp)  (mV) = (millivolt)  (uS) = (microsiemens) }
PARAMETER {
  tau = 5 (ms) <1e-9,1e9>
  gmax = 0.003 (uS)
  e = 0 (mV)
}
ASSIGNED { v (mV) i (nA) g (uS) }
STATE { s (1) }
INITIAL { s = 0 }
BREAKPOINT {
  SOLVE decay METHOD cnexp
  g = gmax*s
  i = g*(v - e)
}
DERIVATIVE decay { s' = -s/tau }
NET_RECEIVE(w (1)) {
  s = s + w*(1 - s)
}
