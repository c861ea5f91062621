
COMMENT
Neocortical sodium channel; density in pS/um2, temperature by q10, a TABLE that DEPENDs on many names
and has bounds from PARAMETERs; the gates are advanced by a PROCEDURE. Rate equations of Mainen and others 1995.
ENDCOMMENT

INDEPENDENT {t FROM 0 TO 1 WITH 1 (ms)}

NEURON {
	SUFFIX nactx
	USEION na READ ena WRITE ina
	RANGE m, h, gact, dens
	GLOBAL vha, ka, vhd, vhr, ki, vhinf, kinf
	GLOBAL mlim, hlim, taum, tauh
	GLOBAL Aon, Aoff, Hrec, Hina
	GLOBAL q10, tref, tadj, vlo, vhi, dv
}

PARAMETER {
	dens = 900   	(pS/um2)	: 0.09 mho/cm2
	dv = -6		(mV)		: moves all gates

	vha  = -35	(mV)		: half activation
	ka   = 9	(mV)
	Aon  = 0.182	(/ms)
	Aoff = 0.124	(/ms)

	vhr  = -50	(mV)		: recovery
	vhd  = -75	(mV)		: inactivation
	ki   = 5	(mV)
	Hrec = 0.024	(/ms)
	Hina = 0.0091	(/ms)
	vhinf  = -65	(mV)
	kinf  = 6.2	(mV)

	tref = 23	(degC)
	q10  = 2.3

	v 		(mV)
	dt		(ms)
	celsius		(degC)
	vlo = -120	(mV)
	vhi = 100	(mV)
}

UNITS {
	(mA) = (milliamp)
	(mV) = (millivolt)
	(pS) = (picosiemens)
	(um) = (micron)
}

ASSIGNED {
	ina 		(mA/cm2)
	gact		(pS/um2)
	ena		(mV)
	mlim 		hlim
	taum (ms)	tauh (ms)
	tadj
	mfac hfac
}

STATE { m h }

BREAKPOINT {
        SOLVE gates
        gact = tadj*dens*m*m*m*h
	ina = (1e-4) * gact * (v - ena)
}

INITIAL {
	tabled(v+dv)
	tadj = q10^((celsius - tref)/10)	: the table may not execute its own
	m = mlim
	h = hlim
}

PROCEDURE gates() {
        tabled(v+dv)
        m = m + mfac*(mlim-m)
        h = h + hfac*(hlim-h)
}

PROCEDURE tabled(u) {
        LOCAL s
        TABLE mlim, mfac, hlim, hfac
	DEPEND dt, celsius, tref, q10, Aon, Aoff, Hrec, Hina, vha, vhr, vhd, vhinf, ka, ki, kinf
	FROM vlo TO vhi WITH 199

	exact(u)		: not reached while usetable == 1
        tadj = q10^((celsius - tref)/10)
        s = -dt * tadj
        mfac = 1 - exp(s/taum)
        hfac = 1 - exp(s/tauh)
}

PROCEDURE exact(u) {
        LOCAL  on, off
	on = slide(u,vha,Aon,ka)
	off = slide(-u,-vha,Aoff,ka)
	taum = 1/(on+off)
	mlim = on*taum

		:"h"
	on = slide(u,vhr,Hrec,ki)
	off = slide(-u,-vhd,Hina,ki)
	tauh = 1/(on+off)
	hlim = 1/(1+exp((u-vhinf)/kinf))
}

FUNCTION slide(u,half,rate,k) {
	if (fabs((u-half)/k) < 1e-6) { slide = rate*k
	} else { slide = rate*(u - half)/(1 - exp((half - u)/k)) }
}
