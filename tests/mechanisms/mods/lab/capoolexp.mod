TITLE calcium pool under the membrane: STATE ca copied to cai in BREAKPOINT and in DERIVATIVE, influx clipped at 0, decay and saturable pump
: not to be used together with another mechanism that writes cai

INDEPENDENT {t FROM 0 TO 1 WITH 1 (ms)}

NEURON {
	SUFFIX capoolexp
	USEION ca READ ica, cai WRITE cai
	RANGE depth,kt,kd,rest,taur,influx
}

UNITS {
	(molar) = (1/liter)
	(mM)	= (millimolar)
	(um)	= (micron)
	(mA)	= (milliamp)
	(msM)	= (ms mM)
	FARADAY = (faraday) (coulomb)
}

PARAMETER {
	depth	= .5	(um)
	taur	= 80	(ms)
	rest	= 1e-4	(mM)
	kt	= 1e-5	(mM/ms)
	kd	= 1e-4	(mM)
}

STATE {
	ca		(mM) <1e-7>
}

ASSIGNED {
	ica		(mA/cm2)
	cai		(mM)
	influx		(mM/ms)
	pumped		(mM/ms)
}

INITIAL {
	ca = rest
	cai = ca
}

BREAKPOINT {
	SOLVE state METHOD euler
	cai = ca
}

DERIVATIVE state {

	influx =  - (10000) * ica / (2 * FARADAY * depth)

	if (influx <= 0.) { influx = 0. }	: never pumps inwards

	pumped = -kt * cai / (cai + kd )

	ca' = influx + pumped + (rest-ca)/taur
	cai = ca	: NEURON wants this one, the line in BREAKPOINT alone is an error
}
