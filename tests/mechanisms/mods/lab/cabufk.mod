: calcium buffering in one compartment: the ion variable cai is itself a STATE of a KINETIC scheme; two buffers, << influx, -> pump
NEURON {
  SUFFIX cabufk
  USEION ca READ ica WRITE cai
  RANGE depth, Bt, Et, kpump, cafree
}
UNITS {
  (mM) = (milli/liter)
  (mA) = (milliamp)
  (um) = (micron)
  F = (faraday) (coulombs)
}
PARAMETER {
  depth = 0.25 (um)
  Bt = 0.2 (mM)       kB = 50 (/mM-ms)    uB = 0.05 (/ms)
  Et = 0.05 (mM)      kE = 3 (/mM-ms)     uE = 0.001 (/ms)
  kpump = 0.6 (/ms)   rest = 5e-5 (mM)
}
ASSIGNED { ica (mA/cm2) cafree (mM) inward (mM/ms) }
STATE { cai (mM) <1e-8>  B (mM)  CaB (mM)  E (mM)  CaE (mM) }
INITIAL {
  cai = rest
  CaB = Bt*cai/(cai + uB/kB)   B = Bt - CaB
  CaE = Et*cai/(cai + uE/kE)   E = Et - CaE
}
BREAKPOINT { SOLVE bind METHOD sparse  cafree = cai }
KINETIC bind {
  inward = -(1e4)*ica/(2*F*depth)
  ~ cai << (inward + kpump*rest)
  ~ cai -> (kpump)
  ~ cai + B <-> CaB (kB, uB)
  ~ cai + E <-> CaE (kE, uE)
  CONSERVE B + CaB = Bt
}
