: an argument called v, and a nested FUNCTION that reads the membrane's v
NEURON { SUFFIX shadow2 NONSPECIFIC_CURRENT i }
ASSIGNED { v i }
BREAKPOINT { i = 1e-5*(v+60) + 1e-5*outer(v+10) }
FUNCTION outer(v) { outer = inner() + v }
FUNCTION inner() { inner = 2*v }
