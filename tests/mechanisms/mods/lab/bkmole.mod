TITLE BK channel: open state by voltage and calcium, functions of two and three arguments, abar/d by PARAMETER
: scheme after Moczydlowski and Latorre 1983

UNITS {
	(molar) = (1/liter)
	(mV) =	(millivolt)
	(mA) =	(milliamp)
	(mM) =	(millimolar)
}
UNITS { FARADAY = (faraday)  (kilocoulombs)
	R = 8.313424 (joule/degC)
}
NEURON {
	SUFFIX bkmole
	USEION ca READ cai
	USEION k READ ek WRITE ik
	RANGE gbar,gkca,ik
	GLOBAL oinf, tau
}
INDEPENDENT {t FROM 0 TO 1 WITH 1 (ms)}
PARAMETER {
	celsius		(degC)
	v		(mV)
	gbar=.01	(mho/cm2)
	cai = 1e-3	(mM)
	ek		(mV)
	d1 = .84
	d2 = 1.
	k1 = .18	(mM)
	k2 = .011	(mM)
	abar = .28	(/ms)
	bbar = .48	(/ms)
	st=1            (1)
}
ASSIGNED {
	ik		(mA/cm2)
	oinf
	tau		(ms)
        gkca          (mho/cm2)
}
STATE {	o }
INITIAL {
        rate(v,cai)
        o=oinf
}
BREAKPOINT {
	SOLVE state METHOD cnexp
	gkca = gbar*o^st
	ik = gkca*(v - ek)
}
DERIVATIVE state {
	rate(v, cai)
	o' = (oinf - o)/tau
}
FUNCTION opening(v (mV), c (mM)) (1/ms) {
	opening = c*abar/(c + affinity(k1,d1,v))
}
FUNCTION closing(v (mV), c (mM)) (1/ms) {
	closing = bbar/(1 + c/affinity(k2,d2,v))
}
FUNCTION affinity(k (mM), d, v (mV)) (mM) {
	affinity = k*exp(-2*d*FARADAY*v/R/(273.15 + celsius))
}
PROCEDURE rate(v (mV), c (mM)) {
	LOCAL a
	a = opening(v,c)
	tau = 1/(a + closing(v, c))
	oinf = a*tau
}
