: potassium and sodium channels that READ reversal potentials, which NEURON recomputes when a concentration is a STATE
NEURON {
  SUFFIX nakleak
  USEION na READ ena WRITE ina
  USEION k READ ek WRITE ik
  RANGE gna, gk, n
}
UNITS { (mA) = (milliamp) (mV) = (millivolt) (S) = (siemens) }
PARAMETER { gna = 2e-5 (S/cm2) gk = 2e-3 (S/cm2) }
STATE { n }
ASSIGNED { v (mV) ena (mV) ek (mV) ina (mA/cm2) ik (mA/cm2) }
INITIAL { n = lim() }
BREAKPOINT {
  SOLVE gate METHOD cnexp
  ina = gna*(1 + 5*n)*(v - ena)
  ik = gk*n*(v - ek)
}
DERIVATIVE gate { n' = (lim() - n)/5 }
FUNCTION lim() { lim = 1/(1 + exp(-(v + 50)/9)) }
