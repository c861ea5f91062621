: accumulation of sodium inside and of potassium outside: STATE nai and ko of two ions, buffering by a bath
NEURON {
  SUFFIX nakacc
  USEION na READ ina, nai WRITE nai
  USEION k READ ik, ko WRITE ko
  RANGE space, kbath, taubath, nabath, tauna
}
UNITS {
  (mM) = (milli/liter)
  (mA) = (milliamp)
  (um) = (micron)
  F = (faraday) (coulombs)
}
PARAMETER {
  space = 0.05 (um)
  kbath = 2.5 (mM)
  taubath = 60 (ms)
  nabath = 10 (mM)
  tauna = 300 (ms)
}
ASSIGNED { ina (mA/cm2) ik (mA/cm2) diam (um) }
STATE { nai (mM) ko (mM) }
INITIAL {
  ko = kbath
  nai = nabath
}
BREAKPOINT { SOLVE acc METHOD cnexp }
DERIVATIVE acc {
  nai' = -ina*4*(1e4)/(diam*F) + (nabath - nai)/tauna
  ko' = ik*(1e4)/(space*F) + (kbath - ko)/taubath
}
