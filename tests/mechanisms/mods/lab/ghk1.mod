: NEURON's own nrn_ghk
NEURON { SUFFIX ghk1 USEION ca READ cai, cao WRITE ica RANGE p }
PARAMETER { p = 1e-6 }
ASSIGNED { v ica cai cao celsius }
BREAKPOINT { ica = p*nrn_ghk(v, cai, cao, 2) }
