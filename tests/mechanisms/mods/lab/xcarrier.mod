: a current labelled with an ion that exists only for bookkeeping (USEION x WRITE ix VALENCE 1)
NEURON { SUFFIX xcarrier USEION x WRITE ix VALENCE 1 RANGE g, e }
UNITS { (mV) = (millivolt) (mA) = (milliamp) (S) = (siemens) }
PARAMETER { g = 8e-5 (S/cm2) e = -20 (mV) }
ASSIGNED { v (mV) ix (mA/cm2) }
BREAKPOINT { ix = g*(v - e)/(1 + exp(-(v + 55)/6)) }
