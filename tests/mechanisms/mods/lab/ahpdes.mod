TITLE slow calcium-dependent potassium current, one gate squared, lower limit of the time constant, TABLE over calcium
: rates(c) is tabulated over concentration, not over voltage
NEURON {
	SUFFIX ahpdes
	USEION k READ ek WRITE ik
	USEION ca READ cai
        RANGE gmax, m_lim, tau_m
	GLOBAL beta, cac
}
UNITS {
	(mA) = (milliamp)
	(mV) = (millivolt)
	(molar) = (1/liter)
	(mM) = (millimolar)
}
PARAMETER {
	v		(mV)
	celsius = 36	(degC)
	ek      = -95	(mV)
	gmax	= .003	(mho/cm2)
	beta	= 0.03	(1/ms)
	cac	= 0.0015 (mM)
	taumin	= 0.5	(ms)
}
STATE { m }
ASSIGNED { ik (mA/cm2) cai (mM) m_lim tau_m (ms) }
BREAKPOINT {
	SOLVE states METHOD cnexp
	ik = gmax * m*m * (v - ek)
}
DERIVATIVE states {
	rates(cai)
	m' = (m_lim - m) / tau_m
}
INITIAL {
	rates(cai)
	m = m_lim
}
UNITSOFF
PROCEDURE rates(c) { LOCAL car
	TABLE m_lim, tau_m DEPEND beta, cac, taumin, celsius FROM 0 TO 0.02 WITH 2000
	car = (c/cac)^2
	m_lim = car / ( 1 + car )
	tau_m = 1 / beta / (1 + car) / 3.0^((celsius-22.0)/10)
	if (tau_m < taumin) { tau_m = taumin }
}
UNITSON
