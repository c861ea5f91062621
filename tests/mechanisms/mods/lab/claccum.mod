: chloride of valence -1, an ion of one's own: STATE cli, exponential return to rest; ecl is left to NEURON
NEURON {
    SUFFIX claccum
    USEION cl READ icl, cli WRITE cli VALENCE -1
    RANGE taukcc, rest, depth, target
}
UNITS { (mM) = (milli/liter) (mA) = (milliamp) (um) = (micron) FARADAY = (faraday) (coulomb) }
PARAMETER { taukcc = 100 (ms) rest = 5 (mM) depth = 0.5 (um) }
ASSIGNED { icl (mA/cm2) target (mM) }
STATE { cli (mM) }
INITIAL {
    cli = rest
    target = rest
}
BREAKPOINT { SOLVE change METHOD derivimplicit }
DERIVATIVE change {
    target = rest
    cli' = (1e4)*icl/(depth*FARADAY) + (target - cli)/taukcc
}
