TITLE alpha-function synapse at a given onset, no events: conductance by t alone; FUNCTION alpha with an IF chain
COMMENT
g(t) = gmax x exp(1 - x), x = (t - onset)/tau after onset. The function is cut at x = 10.
ENDCOMMENT
NEURON {
	POINT_PROCESS AlphaOnset
	RANGE onset, tau, gmax, e, i, g
	NONSPECIFIC_CURRENT i
}
UNITS {
	(nA) = (nanoamp)
	(mV) = (millivolt)
	(umho) = (micromho)
}
PARAMETER {
	onset=20 (ms)
	tau=4 (ms)	<1e-3,1e6>
	gmax=.002 	(umho)	<0,1e9>
	e=0	(mV)
	v	(mV)
}
ASSIGNED { i (nA)  g (umho) }
LOCAL   a[2]
BREAKPOINT {
	if (gmax) { at_time(onset) }
	g = gmax * wave( (t - onset)/tau )
	i = g*(v - e)
}
FUNCTION wave(x) {
	a[0] = x
	a[1] = exp(1 - x)
	if (x < 0 || x > 10) {
		wave = 0
	}else{
		wave = a[0]*a[1]
	}
}
