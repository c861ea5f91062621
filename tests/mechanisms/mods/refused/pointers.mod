: refused: POINTER, a gap junction that reads the voltage of another segment (NEURON compiles it)
NEURON {
    POINT_PROCESS refgap
    NONSPECIFIC_CURRENT i
    RANGE r, i
    POINTER vgap
}
UNITS { (mV) = (millivolt) (nA) = (nanoamp) }
PARAMETER { r = 1000 (megohm) }
ASSIGNED { v (mV) vgap (mV) i (nA) }
BREAKPOINT { i = (v - vgap)/r }
