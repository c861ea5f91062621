TITLE thalamic-style spike generator: voltage counted from vt, gates moved by hand with 1 - Exp(-dt/tau), no table
:
:  Rate equations: Traub and Miles 1991.  INITIAL starts all gates at 0 and only sets the temperature factor.
:
INDEPENDENT {t FROM 0 TO 1 WITH 1 (ms)}

NEURON {
	SUFFIX thalspk
	USEION na READ ena WRITE ina
	USEION k READ ek WRITE ik
	RANGE gna_max, gk_max, vt, m_lim, h_lim, n_lim, tau_m, tau_h, tau_n
}

UNITS {
	(mA) = (milliamp)
	(mV) = (millivolt)
}

PARAMETER {
	gna_max = .03   (mho/cm2)
	gk_max  = .005  (mho/cm2)
	ena     = 50    (mV)
	ek      = -90   (mV)
	celsius = 36    (degC)
	vt      = -63   (mV)
	dt              (ms)
	v               (mV)
}

STATE {
	m h n
}

ASSIGNED {
	ina	(mA/cm2)
	ik	(mA/cm2)
	m_lim
	h_lim
	n_lim
	tau_m
	tau_h
	tau_n
	speed
	unused	(nA)
}

BREAKPOINT {
	SOLVE advance
	ina = gna_max * m*m*m*h * (v - ena)
	ik  = gk_max * n*n*n*n * (v - ek)
}

:DERIVATIVE advance {   : the version for cvode
:	limits(v)
:	m' = (m_lim - m) / tau_m
:}

UNITSOFF
PROCEDURE advance() {
	limits(v)
	m = m + stride(tau_m) * (m_lim - m)
	h = h + stride(tau_h) * (h_lim - h)
	n = n + stride(tau_n) * (n_lim - n)
}

INITIAL {
	m = 0
	h = 0
	n = 0
	speed = 3.0 ^ ((celsius-36)/ 10 )
}

PROCEDURE limits(v(mV)) { LOCAL a,b,u

	u = v - vt

	a = 0.32 * LinExp(u-13, 4)
	b = 0.28 * LinExp(40-u, 5)
	tau_m = 1 / (a + b) / speed
	m_lim = a / (a + b)

	a = 0.128 * Exp((17-u)/18)
	b = 4 / ( 1 + Exp((40-u)/5) )
	tau_h = 1 / (a + b) / speed
	h_lim = a / (a + b)

	a = 0.032 * LinExp(u-15, 5)
	b = 0.5 * Exp((10-u)/40)
	tau_n = 1 / (a + b) / speed
	n_lim = a / (a + b)
}

FUNCTION stride(tau) { stride = 1 - Exp(-dt/tau) }

FUNCTION LinExp(x,y) {
	if (fabs(x/y) < 1e-6) {
		LinExp = y*(1 + x/y/2)
	}else{
		LinExp = x/(1 - Exp(-x/y))
	}
}

FUNCTION Exp(x) {
	if (x < -100) {
		Exp = 0
	}else{
		Exp = exp(x)
	}
}
UNITSON
