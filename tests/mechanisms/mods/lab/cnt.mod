: a counter in BREAKPOINT: how often NEURON computes it
NEURON { SUFFIX cnt NONSPECIFIC_CURRENT i RANGE count }
ASSIGNED { v i count }
INITIAL { count = 0 }
BREAKPOINT { count = count + 1  i = 1e-6*(v + 50 + count*0.01) }
