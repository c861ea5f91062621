: a LOCAL with the name of a FUNCTION
NEURON { SUFFIX lc NONSPECIFIC_CURRENT i }
ASSIGNED { v i r }
BREAKPOINT { rates(v)  i = 1e-5*(v+60)*alpha(v)*r }
PROCEDURE rates(x) { LOCAL alpha  alpha = x/50  r = alpha*alpha }
FUNCTION alpha(x) { alpha = 1/(1+exp(-x/9)) }
