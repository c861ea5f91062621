TITLE delayed rectifier by thermodynamic rates, UNITS first, NEURON block in the middle, RANGE without units
: PROCEDURE called from hoc too, so it writes its results to GLOBALs; a floor under the time constant

UNITS {
	(mA) = (milliamp)
	(mV) = (millivolt)

}

PARAMETER {
	v (mV)
        ek (mV)		: from hoc
	celsius		(degC)
	gmax=.004 (mho/cm2)
        vh=13   (mV)
        k0=0.02      (/ms)
        z=-3    (1)
        d=0.7  (1)
	floor_n=2  (1)
}


NEURON {
	SUFFIX kdrpyr
	USEION k READ ek WRITE ik
        RANGE g,gmax
	GLOBAL nlim,ntau
}

STATE {
	n
}

ASSIGNED {
	ik (mA/cm2)
        nlim
        g
        ntau
}

INITIAL {
	rates(v)
	n=nlim
}

BREAKPOINT {
	SOLVE states METHOD cnexp
	g = gmax*n
	ik = g*(v-ek)

}

DERIVATIVE states {
        rates(v)
        n' = (nlim - n)/ntau
}

FUNCTION rt(v(mV)) { rt = 1.e-3*(v-vh)*9.648e4/(8.315*(273.16+celsius)) }
FUNCTION fwd(v(mV)) {
  fwd = exp(z*rt(v))
}
FUNCTION bwd(v(mV)) {
  bwd = exp(z*d*rt(v))
}

PROCEDURE rates(v (mV)) {
        LOCAL a
        a = fwd(v)
        nlim = 1/(1+a)
        ntau = bwd(v)/(k0*(1+a))
	if (ntau<floor_n) {ntau=floor_n}
}
