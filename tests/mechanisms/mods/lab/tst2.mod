: names of its own like those of generated code
NEURON { SUFFIX tst2 NONSPECIFIC_CURRENT i }
PARAMETER { test_1 = 1e-5 test_2 = 60 lambda = 2 lambda_ = 1 }
ASSIGNED { v i }
BREAKPOINT { IF (v > -60) { i = test_1*(v+test_2)*lambda } ELSE { i = test_1*(v+50)*lambda_ }
 IF (v > -65) { i = i + test_1*exp(v/50) } }
