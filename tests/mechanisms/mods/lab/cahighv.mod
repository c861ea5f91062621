TITLE high-voltage-activated calcium with GHK, inactivated by internal calcium, TABLEs inside FUNCTIONs
: ghk by KTF and efun; two gates; not thread safe because of the tables

UNITS {
	(mA) = (milliamp)
	(mV) = (millivolt)
	(molar) = (1/liter)
	(mM) = (millimolar)
	FARADAY = (faraday) (coulomb)
	R = (k-mole) (joule/degC)
}

PARAMETER {
	v (mV)
	celsius (degC)
	pbar = .0015 (cm/s)
	khalf = .001 (mM)
	cai = 5e-5 (mM)
	cao = 2 (mM)
	q10 = 5
	taumin = 0.2
}

NEURON {
	SUFFIX cahighv
	USEION ca READ cai, cao WRITE ica
	RANGE pbar, p, ica
	GLOBAL mlim, mtau
}

STATE { m }

ASSIGNED {
	ica (mA/cm2)
	p (cm/s)
	mlim
	mtau (ms)
}

INITIAL {
	rates(v)
	m = mlim
}

BREAKPOINT {
	SOLVE state METHOD cnexp
	p = pbar*m*m*bound(cai)
	ica = p*ghk(v,cai,cao)
}

FUNCTION bound(c(mM)) {
	bound = khalf/(khalf + c)
}

FUNCTION ghk(v(mV), ci(mM), co(mM)) (.001 coul/cm3) {
	LOCAL x, f
	f = KTF(celsius)/2
	x = v/f
	ghk = 2*FARADAY*(.001)*(ci*efun(-x) - co*efun(x))
}

FUNCTION KTF(celsius (degC)) (mV) {
	KTF = (1000)*R*(celsius + 273.15)/FARADAY
}

FUNCTION efun(z) {
	if (fabs(z) < 1e-4) {
		efun = 1 - z/2
	}else{
		efun = z/(exp(z) - 1)
	}
}

FUNCTION alp(v(mV)) (1/ms) {
	TABLE FROM -150 TO 150 WITH 200
	alp = 1.5*efun((15 - v)/10)
}

FUNCTION bet(v(mV)) (1/ms) {
	TABLE FROM -150 TO 150 WITH 200
	bet = 0.3*exp(-v/11)
}

DERIVATIVE state {
	rates(v)
	m' = (mlim - m)/mtau
}

PROCEDURE rates(v (mV)) {
	LOCAL a
	a = alp(v)
	mtau = 1/(a + bet(v))/q10^((celsius - 22)/10)
	if (mtau < taumin) { mtau = taumin }
	mlim = a/(a + bet(v))
}
