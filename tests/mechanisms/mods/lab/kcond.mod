COMMENT  potassium and chloride-like leak with CONDUCTANCE hints for an ion and for a nonspecific current
ENDCOMMENT
NEURON {
    SUFFIX kcond
    USEION k READ ek WRITE ik
    NONSPECIFIC_CURRENT icl
    RANGE gk, gcl, ecl, gkbar
}
UNITS { (mV) = (millivolt) (mA) = (milliamp) (S) = (siemens) }
PARAMETER { gkbar = 0.002 (S/cm2) gcl = 5e-5 (S/cm2) ecl = -65 (mV) }
STATE { n }
ASSIGNED { v (mV) ek (mV) ik (mA/cm2) icl (mA/cm2) gk (S/cm2) }
BREAKPOINT {
    CONDUCTANCE gk USEION k
    CONDUCTANCE gcl
    SOLVE s METHOD cnexp
    gk = gkbar*n^2
    ik = gk*(v - ek)
    icl = gcl*(v - ecl)
}
INITIAL { n = steady(v) }
DERIVATIVE s { n' = (steady(v) - n)/6 }
FUNCTION steady(v (mV)) { steady = 1/(1 + exp(-(v + 42)/8)) }
