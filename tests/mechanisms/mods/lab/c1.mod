: the long COMMENT is at the end of this file
NEURON { SUFFIX c1 NONSPECIFIC_CURRENT i }
ASSIGNED { v i w[3] }
INITIAL { w[1] = 2 }
BREAKPOINT { i = 1e-5*w[1]*(v+60) }
COMMENT
text
ENDCOMMENT
