TITLE somatic Na and K with gates in arrays: inf[4], tau[4], FROM loops, functions of (v, i) with ELSE IF
:  gates are advanced exactly by a PROCEDURE, factors in fac[4]; written with many spaces

NEURON {
	SUFFIX somarr
	USEION na READ ena WRITE ina
	USEION k READ ek WRITE ik
	NONSPECIFIC_CURRENT il
	RANGE gnabar, gkbar, gl, el, W
	GLOBAL inf, fac, tau
}

UNITS {
	(mA) = (milliamp)
	(mV) = (millivolt)
}

INDEPENDENT { t FROM 0 TO 1 WITH 1 (ms) }

PARAMETER {
	a0r = 0.0003 (ms)
	b0r = 0.0003 (ms)
	zetar = 12
	zetas = 12
	gmr = 0.2
	ar2 = 1.0 		: 0..1
	taumin = 3 (ms)
	vvs = 2 (mV)
	vhalfr = -60 (mV)
	W = 0.016 (/mV)
	gnabar = 0.04 (mho/cm2)
	gkbar = 0.006 (mho/cm2)
	gl = 0 (mho/cm2)
	ena = 60 (mV)
	ek = -77 (mV)
	el = -70.0 (mV)
	celsius = 34 (degC)
	v (mV)
	dt (ms)
}

STATE { m h n s }

ASSIGNED {
	ina (mA/cm2)
	ik (mA/cm2)
	il (mA/cm2)
	inf[4]
	fac[4]
	tau[4]
}

INITIAL {
	gates(v)
	m = inf[0]
	h = inf[1]
	n = inf[2]
	s = inf[3]
}

BREAKPOINT {
	SOLVE states
	ina = gnabar*m*m*h*s*(v - ena)
	ik = gkbar*n*n*(v - ek)
	il = gl*(v - el)
}

PROCEDURE states() {
	gates(v)
	m = m + fac[0]*(inf[0] - m)
	h = h + fac[1]*(inf[1] - h)
	n = n + fac[2]*(inf[2] - n)
	s = s + fac[3]*(inf[3] - s)
}

FUNCTION limit(v, i) {
	if (i==0) {
		limit = 1/(1 + exp((v + 40)/(-3)))
	}
	else if (i==1) {
		limit = 1/(1 + exp((v + 45)/(3)))
	}
	else if (i==2) {
		limit = 1/(1 + exp((v + 42)/(-2)))
	} else {
		limit = (1 + ar2*exp((v - vhalfr)/vvs))/(1 + exp((v - vhalfr)/vvs))
	}
}

FUNCTION time(v, i) (ms) { LOCAL tmp
	if (i==0) { time = 0.05 }
	else if (i==1) { time = 1 }
	else if (i==2) { time = 3.5 }
	else {
		tmp = betr(v)/(a0r + b0r*alpr(v))
		if (tmp < taumin) { tmp = taumin }
		time = tmp
	}
}

FUNCTION alpr(v(mV)) { alpr = exp(1.e-3*zetar*(v-vhalfr)*9.648e4/(8.315*(273.16+celsius))) }
FUNCTION betr(v(mV)) { betr = exp(1.e-3*zetas*gmr*(v-vhalfr)*9.648e4/(8.315*(273.16+celsius))) }

PROCEDURE gates(v) { LOCAL a, b
	FROM i=0 TO 3 {
		a = time(v,i)
		tau[i] = a
		b = limit(v,i)
		inf[i] = b
		fac[i] = (1 - exp(-dt/tau[i]))
	}
}
