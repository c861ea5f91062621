: SK-type calcium-activated potassium, Hill curve; rates(ca) assigns to its argument
NEURON {
       SUFFIX skhill
       USEION k READ ek WRITE ik
       USEION ca READ cai
       RANGE gmax, g, ik
}

UNITS {
      (mV) = (millivolt)
      (mA) = (milliamp)
      (mM) = (milli/liter)
}

PARAMETER {
          v            (mV)
          gmax = .002 (mho/cm2)
          tauz = 2              (ms)
          ek           (mV)
          cai          (mM)
}

ASSIGNED {
         zlim
         ik            (mA/cm2)
         g	       (S/cm2)
}

STATE {
      z   FROM 0 TO 1
}

BREAKPOINT {
           SOLVE states METHOD cnexp
           g  = gmax * z
           ik   =  g * (v - ek)
}

DERIVATIVE states {
        hill(cai)
        z' = (zlim - z) / tauz
}

PROCEDURE hill(ca(mM)) {
          if(ca < 1e-7){
	              ca = ca + 1e-07
          }
          zlim = 1/(1 + (0.0005 / ca)^4.5)
}

INITIAL {
        hill(cai)
        z = zlim
}
