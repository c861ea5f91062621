: refused: EXTERNAL, a variable that belongs to another mechanism (here of squidtab; NEURON compiles it beside that file)
NEURON { SUFFIX refextern NONSPECIFIC_CURRENT i EXTERNAL tm_squidtab RANGE g, e }
UNITS { (mV) = (millivolt) (S) = (siemens) (mA) = (milliamp) }
PARAMETER { g = 1e-4 (S/cm2) e = -60 (mV) }
ASSIGNED { v (mV) i (mA/cm2) tm_squidtab }
BREAKPOINT { i = g*tm_squidtab*(v - e) }
