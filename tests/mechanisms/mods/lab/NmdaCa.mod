: NMDA synapse of which a fraction of the current is carried by calcium: WRITE ica and a NONSPECIFIC_CURRENT together
NEURON {
  POINT_PROCESS NmdaCa
  USEION ca READ eca WRITE ica
  NONSPECIFIC_CURRENT inmda
  RANGE tau1, tau2, frac, g, e
  RANGE ica, inmda, open
}
UNITS { (nA) = (nanoamp) (mV) = (millivolt) (uS) = (microsiemens) }
PARAMETER { tau1 = 2 (ms) tau2 = 40 (ms) frac = 0.1 e = 0 (mV) }
ASSIGNED { v (mV) eca (mV) ica (nA) inmda (nA) g (uS) open factor }
STATE { A (uS) B (uS) }
INITIAL { LOCAL tp
  A = 0  B = 0
  tp = (tau1*tau2)/(tau2 - tau1)*log(tau2/tau1)
  factor = 1/(exp(-tp/tau2) - exp(-tp/tau1))
}
BREAKPOINT {
  SOLVE state METHOD cnexp
  open = 1/(1 + 0.28*exp(-0.062*v))
  g = (B - A)*open
  inmda = g*(1 - frac)*(v - e)
  ica = frac*g*(v - eca)
}
DERIVATIVE state { A' = -A/tau1  B' = -B/tau2 }
NET_RECEIVE(weight (uS)) { A = A + weight*factor  B = B + weight*factor }
