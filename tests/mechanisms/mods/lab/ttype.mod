TITLE low-threshold calcium current; reversal computed here from concentrations; two q10; ENDCOMMENT with words behind
COMMENT
 T current of relay cells. Activation squared, inactivation slow; Nernst potential in BREAKPOINT by log().
 After the fits of Huguenard and McCormick 1992.
ENDCOMMENT (end of the remarks)

INDEPENDENT {t FROM 0 TO 1 WITH 1 (ms)}

NEURON {
	SUFFIX ttype
	USEION ca READ cai,cao WRITE ica
	RANGE gmax, m_lim, tau_m, h_lim, tau_h, shift, erev
	GLOBAL qm, qh
}

UNITS {
	(molar) = (1/liter)
	(mV) =	(millivolt)
	(mA) =	(milliamp)
	(mM) =	(millimolar)

	FARADAY = (faraday) (coulomb)
	R = (k-mole) (joule/degC)
}

PARAMETER {
	v		(mV)
	celsius	= 36	(degC)
	gmax	= 0.001	(mho/cm2)
	shift	= 2 	(mV)
	cai	= 2.4e-4 (mM)
	cao	= 2	(mM)
	qm	= 3.55
	qh	= 3
}

STATE {
	m h
}

ASSIGNED {
	ica	(mA/cm2)
	erev	(mV)
	m_lim
	tau_m	(ms)
	h_lim
	tau_h	(ms)
	fm
	fh
}

BREAKPOINT {
	SOLVE castate METHOD cnexp
	erev = (1e3) * (R*(celsius+273.15))/(2*FARADAY) * log (cao/cai)
	ica = gmax * m*m*h * (v-erev)
}

DERIVATIVE castate {
	fill(v)
	m' = (m_lim - m) / tau_m
	h' = (h_lim - h) / tau_h
}

UNITSOFF
INITIAL {
	fm = qm ^ ((celsius-24)/10)
	fh = qh ^ ((celsius-24)/10)
	fill(v)
	m = m_lim
	h = h_lim
}

PROCEDURE fill(v(mV)) { LOCAL u
	u = v + shift
	m_lim = 1.0 / ( 1 + exp(-(u+57)/6.2) )
	h_lim = 1.0 / ( 1 + exp((u+81)/4.0) )
	tau_m = ( 0.612 + 1.0 / ( exp(-(u+132)/16.7) + exp((u+16.8)/18.2) ) ) / fm
	if ( u < -80) {
		tau_h = exp((u+467)/66.6) / fh
	} else {
		tau_h = ( 28 + exp(-(u+22)/10.5) ) / fh
	}
}
UNITSON
