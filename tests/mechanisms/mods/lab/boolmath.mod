: comparisons added, subtracted and negated as numbers
NEURON { SUFFIX boolmath NONSPECIFIC_CURRENT i }
ASSIGNED { v i n }
BREAKPOINT { n = (v > -65) + (v > -60) + (v > -50) - (v < -90)  i = 1e-5*(1+n)*(v+70) - 1e-6*-(v > -65) }
