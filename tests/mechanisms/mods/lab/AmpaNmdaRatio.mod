: AMPA and NMDA in one point process; per-connection weights wAMPA and wNMDA; NMDA part scaled by ratio
NEURON {
  POINT_PROCESS AmpaNmdaRatio
  NONSPECIFIC_CURRENT iampa, inmda
  RANGE tauA, tauN, ratio, e, gA, gN, i, mg
}
UNITS { (nA) = (nanoamp) (mV) = (millivolt) (uS) = (microsiemens) (mM) = (milli/liter) }
PARAMETER {
  tauA = 2 (ms)
  tauN = 70 (ms)
  ratio = 0.6
  e = 0 (mV)
  mg = 1.2 (mM)
}
ASSIGNED { v (mV) iampa (nA) inmda (nA) i (nA) gA (uS) gN (uS) }
STATE { A (uS) N (uS) }
INITIAL { A = 0 N = 0 }
BREAKPOINT {
  SOLVE fall METHOD cnexp
  gA = A
  gN = ratio*N/(1 + mg/3.57(mM)*exp(-0.07(/mV)*v))
  iampa = gA*(v - e)
  inmda = gN*(v - e)
  i = iampa + inmda
}
DERIVATIVE fall { A' = -A/tauA  N' = -N/tauN }
NET_RECEIVE(wAMPA (uS), wNMDA (uS)) {
  INITIAL { if (wNMDA == 0) { wNMDA = wAMPA } }
  A = A + wAMPA
  N = N + wNMDA
}
