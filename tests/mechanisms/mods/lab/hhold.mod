TITLE squid axon the way of the 1980s: gates moved by hand in a PROCEDURE, TABLE that depends on dt, file-wide LOCAL

: SOLVE has no METHOD and names a PROCEDURE.  Not thread safe, because of the LOCALs of the file.

INDEPENDENT {t FROM 0 TO 1 WITH 1 (ms)}

NEURON {
	SUFFIX hhold
	USEION na READ ena WRITE ina
	USEION k READ ek WRITE ik
	NONSPECIFIC_CURRENT il
	RANGE gnamax, gkmax, gl, el
	GLOBAL mlim, hlim, nlim, mfac, hfac, nfac
}
UNITS {
	(mA) = (milliamp)
	(mV) = (millivolt)
}
PARAMETER {
	v (mV)
	celsius = 6.3 (degC)
	dt (ms)
	gnamax = .12 (mho/cm2)
	ena = 50 (mV)
	gkmax = .036 (mho/cm2)
	ek = -77.5 (mV)
	gl = .0003 (mho/cm2)
	el = -54.3 (mV)
}
STATE { m h n }
ASSIGNED {
	ina (mA/cm2)  ik (mA/cm2)  il (mA/cm2)
	mlim hlim nlim mfac hfac nfac
}
LOCAL cube, square

BREAKPOINT {
	SOLVE move
	cube = m*m*m
	square = n*n
	ina = gnamax*cube*h*(v - ena)
	ik = gkmax*square*square*(v - ek)
	il = gl*(v - el)
}

UNITSOFF

INITIAL {
	fill(v)
	m = mlim
	h = hlim
	n = nlim
}

PROCEDURE move() {
	fill(v)
	m = m + mfac*(mlim-m)
	h = h + hfac*(hlim-h)
	n = n + nfac*(nlim-n)
}
LOCAL phi
PROCEDURE fill(v) {LOCAL  a, b
	TABLE mlim, mfac, hlim, hfac, nlim, nfac DEPEND dt, celsius FROM -110 TO 90 WITH 400
	phi = 3^(0.1*(celsius - 6.3))
	a = .1*ratio(v+40)  b = 4*exp((-65-v)/18)
	mlim = a/(a+b)  mfac = 1 - exp(-dt*phi*(a+b))
	a = .07*exp((-65-v)/20)  b = 1/(exp((-35-v)/10) + 1)
	hlim = a/(a+b)  hfac = 1 - exp(-dt*phi*(a+b))
	a = .01*ratio(v+55)  b = .125*exp((-65-v)/80)
	nlim = a/(a+b)  nfac = 1 - exp(-dt*phi*(a+b))
}
FUNCTION ratio(x) {
	if (fabs(x) < 1e-5) { ratio = 10 } else { ratio = x/(1 - exp(-x/10)) }
}
UNITSON
