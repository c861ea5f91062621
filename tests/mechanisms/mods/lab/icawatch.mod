: an observer that READs the total calcium current and cai, integrates charge in a STATE and keeps the largest current
NEURON {
    SUFFIX icawatch
    USEION ca READ ica, cai
    RANGE q, worst, mine, caworst
}
UNITS { (mA) = (milliamp) (mM) = (milli/liter) (mV) = (millivolt) (nC) = (nanocoulomb) }
ASSIGNED { ica (mA/cm2) cai (mM) worst (mA/cm2) mine (mA/cm2) caworst (mM) }
STATE { q (1) }
INITIAL { q = 0 worst = 0 mine = 0 caworst = cai }
BREAKPOINT {
    SOLVE integrate METHOD cnexp
    mine = -ica
    if (mine > worst) { worst = mine }
    if (cai > caworst) { caworst = cai }
}
DERIVATIVE integrate { q' = -ica*(1000) - q/200 }
