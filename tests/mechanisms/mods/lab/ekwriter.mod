: reversal potential written by a mechanism (USEION k WRITE ek), with a slow drift toward a value set by the current
NEURON { SUFFIX ekwriter USEION k READ ik WRITE ek RANGE ek0, gain, tau, push }
UNITS { (mV) = (millivolt) (mA) = (milliamp) }
PARAMETER { ek0 = -90 (mV) gain = 1500 (mV cm2/mA) tau = 30 (ms) }
ASSIGNED { ek (mV) ik (mA/cm2) }
STATE { push (mV) }
INITIAL { push = 0 ek = ek0 }
BREAKPOINT {
  SOLVE slow METHOD cnexp
  ek = ek0 + push
}
DERIVATIVE slow { push' = (gain*ik - push)/tau }
