: START after one of two states on a line
NEURON { SUFFIX start1 NONSPECIFIC_CURRENT i }
ASSIGNED { v i }
STATE { m h FROM 0 TO 1 START 0.5 }
BREAKPOINT { SOLVE st METHOD cnexp i = 1e-4*m*h*(v+20) }
DERIVATIVE st { m' = (0.3-m)/50  h' = (0.7 - h)/80 }
