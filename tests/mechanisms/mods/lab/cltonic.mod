: tonic GABA conductance that rectifies, carried by the ion cl (READ ecl WRITE icl VALENCE -1)
NEURON {
    SUFFIX cltonic
    USEION cl READ ecl WRITE icl VALENCE -1
    RANGE gmax, g, vhalf
}
UNITS { (mV) = (millivolt) (mA) = (milliamp) (S) = (siemens) }
PARAMETER { gmax = 2e-4 (S/cm2) vhalf = -40 (mV) }
ASSIGNED { v (mV) ecl (mV) icl (mA/cm2) g (S/cm2) }
BREAKPOINT {
    g = gmax*(0.3 + 0.7/(1 + exp(-(v - vhalf)/15)))
    icl = g*(v - ecl)
}
