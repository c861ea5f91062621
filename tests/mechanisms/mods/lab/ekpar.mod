: a PARAMETER called ek that is the mechanism's own, as in ports from XPP
NEURON { SUFFIX ekpar USEION k WRITE ik RANGE g }
PARAMETER { g = 1e-5 ek = -60 }
ASSIGNED { v ik }
BREAKPOINT { ik = g*(v-ek) }
