: electrogenic sodium-potassium pump: 3 Na out, 2 K in; two ion currents WRITTEN from concentrations, no STATE
NEURON {
  SUFFIX nakatp
  USEION na READ nai WRITE ina
  USEION k READ ko WRITE ik
  RANGE imax, ipump, knai, kko
}
UNITS { (mM) = (milli/liter) (mA) = (milliamp) (mV) = (millivolt) }
PARAMETER { imax = 0.004 (mA/cm2) knai = 12 (mM) kko = 2 (mM) }
ASSIGNED { v (mV) nai (mM) ko (mM) ina (mA/cm2) ik (mA/cm2) ipump (mA/cm2) celsius (degC) }
BREAKPOINT {
  ipump = imax*hill(nai, knai, 3)*hill(ko, kko, 2)*vdep(v)
  ina = 3*ipump
  ik = -2*ipump
}
FUNCTION hill(c (mM), k (mM), n) { hill = 1/(1 + (k/c))^n }
FUNCTION vdep(v (mV)) { vdep = (v + 150)/(v + 200) }
