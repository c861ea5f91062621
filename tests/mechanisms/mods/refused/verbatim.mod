: refused: VERBATIM, in a PROCEDURE and at file level (NEURON compiles it)
NEURON { SUFFIX refverb NONSPECIFIC_CURRENT i RANGE g, e }
UNITS { (mV) = (millivolt) (S) = (siemens) (mA) = (milliamp) }
PARAMETER { g = 1e-4 (S/cm2) e = -60 (mV) }
STATE { m }
ASSIGNED { v (mV) i (mA/cm2) lim }
VERBATIM
static double twice(double x) { return 2.0*x; }
ENDVERBATIM
INITIAL { rates(v) m = lim }
BREAKPOINT { SOLVE s METHOD cnexp i = g*m*(v - e) }
DERIVATIVE s { rates(v) m' = (lim - m)/5 }
PROCEDURE rates(v (mV)) {
    lim = 1/(1 + exp(-(v + 40)/5))
    VERBATIM
    lim = 0.5*twice(lim);
    ENDVERBATIM
}
