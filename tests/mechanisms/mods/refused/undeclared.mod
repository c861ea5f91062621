: refused: variables that are declared nowhere (shft and mtua are slips of the pen); NEURON refuses it too
NEURON { SUFFIX refundecl NONSPECIFIC_CURRENT i RANGE g, e, shift }
PARAMETER { g = 1e-4 e = -60 shift = 0 }
STATE { m }
ASSIGNED { v i minf mtau }
INITIAL { rates(v) m = minf }
BREAKPOINT { SOLVE s METHOD cnexp i = g*m*(v - e) }
DERIVATIVE s { rates(v) m' = (minf - m)/mtau }
PROCEDURE rates(v) { minf = 1/(1 + exp(-(v - shft)/5)) mtua = 4 mtau = 4 }
