: NEURON never advances states that are solved without METHOD
NEURON { SUFFIX nometh NONSPECIFIC_CURRENT i }
ASSIGNED { v i }
STATE { m }
BREAKPOINT { SOLVE st  i = 1e-5*m*(v+20) }
INITIAL { m = 0.1 }
DERIVATIVE st { m' = (1/(1+exp(-(v+50)/7)) - m)/3 }
