COMMENT
potassium current whose gate is solved by METHOD runge (Runge-Kutta of fourth order); Two gates, squared and to the power 1.5
ENDCOMMENT
NEURON {
    SUFFIX rungek
    USEION k READ ek WRITE ik
    RANGE gmax, ik
}
UNITS { (mV)=(millivolt)  (mA)=(milliamp)  (S)=(siemens) }
PARAMETER { gmax=0.003 (S/cm2) }
STATE { a b }
ASSIGNED { v(mV) ek(mV) ik(mA/cm2) }
INITIAL { a=lim(v,-30,9) b=lim(v,-68,-9) }
BREAKPOINT {
    SOLVE gates METHOD runge
    ik=gmax*a^1.5*b^2*(v-ek)
}
DERIVATIVE gates {
    a'=(lim(v,-30,9)-a)/(1+8*lim(v,-50,-12))
    b'=(lim(v,-68,-9)-b)/25
}
FUNCTION lim(v(mV),half(mV),k(mV)) { lim=1/(1+exp((half-v)/k)) }
