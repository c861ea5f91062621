TITLE Na current with gates m, h and slow s; lower bounds on the time constants; PROCEDURE with two arguments
: rest set per segment: keep = 1 removes the slow inactivation.  All scratch values are GLOBAL, units are half done

NEURON {
	SUFFIX nathree
	USEION na READ ena WRITE ina
	RANGE  gmax, keep
	GLOBAL mlim, hlim, slim, taum,tauh, taus
}

PARAMETER {
	gmax = 0.03   	(mho/cm2)
	vm  =  -30	(mV)
	km   = 7.2	(mV)
	am   = 0.4	(/ms)
	bm   = 0.124 	(/ms)
	vh  = -45	(mV)
	kh  = 1.5	(mV)
	ah = .03	(/ms)
	bh = .01	(/ms)
	vhl = -50  kl = 4
	vslow=-60	(mV)
	rslow=0.0003	(/ms)
	zslow=12	(1)
	dslow=0.2	(1)
	tmmin=0.02
	thmin=0.5
	tsmin=10	(ms)
	q=2
	keep=0.6	(1)
	ena		(mV)
	celsius
	v 		(mV)
}

UNITS {
	(mA) = (milliamp)
	(mV) = (millivolt)
}

ASSIGNED {
	ina 		(mA/cm2)
	gnow		(mho/cm2)
	mlim 		hlim
	taum (ms)	tauh (ms)
	slim (ms)	taus (ms)
}

STATE { m h s}

BREAKPOINT {
        SOLVE states METHOD cnexp
        gnow = gmax*m*m*m*h*s
	ina = gnow * (v - ena)
}

INITIAL {
	settle(v,keep)
	m=mlim
	h=hlim
	s=slim
}

FUNCTION open(v(mV)) {
         open = 1/(1+exp((v+58)/2))
}

FUNCTION boltzmann(v(mV), z) {
  boltzmann = exp(1.e-3*z*(v-vslow)*9.648e4/(8.315*(273.16+celsius)))
}

DERIVATIVE states {
        settle(v,keep)
        m' = (mlim-m)/taum
        h' = (hlim-h)/tauh
        s' = (slim - s)/taus
}

PROCEDURE settle(u,part) {
        LOCAL  a, b, c, qt
        qt=q^((celsius-24)/10)
	a = linear(u-vm,am,km)	b = linear(vm-u,bm,km)
	taum = 1/(a+b)/qt
        if (taum<tmmin) {taum=tmmin}
	mlim = a/(a+b)

	a = linear(u-vh,ah,kh)	b = linear(vh-u,bh,kh)
	tauh =  1/(a+b)/qt
        if (tauh<thmin) {tauh=thmin}
	hlim = 1/(1+exp((u-vhl)/kl))

	c=open(u)
        slim = c+part*(1-c)
        taus = boltzmann(u,zslow*dslow)/(rslow*(1+boltzmann(u,zslow)))
        if (taus<tsmin) {taus=tsmin}
}

FUNCTION linear(x,r,k) {
	linear = r*k
	if (fabs(x) > 1e-6) { linear = r*x/(1 - exp(-x/k)) }
}
