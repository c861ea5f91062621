TITLE Morris-Lecar currents: cosh and tanh, one nonlinear equation, METHOD derivimplicit
: u is a slow gate with a quadratic term that no exponential step can take

NEURON {
  SUFFIX mlimp
  NONSPECIFIC_CURRENT ica_, ik_
  RANGE gca, gk, eca_, ek_, phi, v1, v2, v3, v4
  THREADSAFE
}
UNITS { (mV) = (millivolt) (mS) = (millisiemens) (mA) = (milliamp) }
PARAMETER {
  gca = 0.9 (mS/cm2)
  gk = 1.2 (mS/cm2)
  eca_ = 120 (mV)
  ek_ = -84 (mV)
  v1 = -1.2 (mV)
  v2 = 18 (mV)
  v3 = 2 (mV)
  v4 = 30 (mV)
  phi = 0.2 (/ms)
}
ASSIGNED {
  v (mV)
  ica_ (mA/cm2)
  ik_ (mA/cm2)
}
STATE { w u }
INITIAL {
  w = winf(v)
  u = 0.3
}
BREAKPOINT {
  SOLVE dw METHOD derivimplicit
  ica_ = 0.001*gca*minf(v)*(1 - 0.5*u)*(v - eca_)
  ik_ = 0.001*gk*w*(v - ek_)
}
DERIVATIVE dw {
  w' = phi*(winf(v) - w)*cosh((v - v3)/(2*v4))
  u' = 0.05*w - 0.02*u*u - 0.01*u*w
}
FUNCTION minf(v (mV)) { minf = 0.5*(1 + tanh((v - v1)/v2)) }
FUNCTION winf(v (mV)) { winf = 0.5*(1 + tanh((v - v3)/v4)) }
