: refused: syntax errors, a bracket that is not closed and an operator without its right side (NEURON refuses it too)
NEURON { SUFFIX refsyntax NONSPECIFIC_CURRENT i RANGE g, e }
PARAMETER { g = 1e-4 e = -60 }
ASSIGNED { v i }
BREAKPOINT {
    i = g*(v - e
    g = g +
}
