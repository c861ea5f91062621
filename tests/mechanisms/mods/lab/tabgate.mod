: FUNCTION_TABLE: the limits and time constants of the gate are given from hoc or Python as vectors (see README)
NEURON { SUFFIX tabgate USEION k READ ek WRITE ik RANGE gbar GLOBAL nlim, ntau }
UNITS { (mV) = (millivolt) (mA) = (milliamp) (S) = (siemens) }
PARAMETER { gbar = 0.003 (S/cm2) }
STATE { n }
ASSIGNED { v (mV) ek (mV) ik (mA/cm2) nlim ntau (ms) }
INITIAL { rates(v) n = nlim }
BREAKPOINT { SOLVE states METHOD cnexp ik = gbar*n^3*(v - ek) }
DERIVATIVE states { rates(v) n' = (nlim - n)/ntau }
PROCEDURE rates(v (mV)) { nlim = tablim(v) ntau = tabtau(v) }
FUNCTION_TABLE tablim(v (mV))
FUNCTION_TABLE tabtau(v (mV)) (ms)
