TITLE NMDA synapse whose magnesium block is a FUNCTION with a TABLE that depends on mg
: rise and decay; weight in uS
NEURON {
	POINT_PROCESS NmdaTab
	RANGE trise, tdecay, e, i, g
	NONSPECIFIC_CURRENT i
	GLOBAL mg, vmin, vmax
}
UNITS { (nA) = (nanoamp) (mV) = (millivolt) (uS) = (microsiemens) (mM) = (milli/liter) }
PARAMETER {
	trise = 3 (ms)
	tdecay = 60 (ms)
	e = 0 (mV)
	mg = 1 (mM)
	vmin = -140 (mV)
	vmax = 100 (mV)
}
ASSIGNED { v (mV) i (nA) g (uS) scale }
STATE { fast slow }
INITIAL { LOCAL tp
	fast = 0  slow = 0
	tp = trise*tdecay/(tdecay - trise)*log(tdecay/trise)
	scale = 1/(exp(-tp/tdecay) - exp(-tp/trise))
}
BREAKPOINT { LOCAL b
	SOLVE s METHOD cnexp
	b = mgfree(v)
	g = (slow - fast)*b*1(uS)
	i = g*(v - e)
}
DERIVATIVE s {
	fast' = -fast/trise
	slow' = -slow/tdecay
}
FUNCTION mgfree(v(mV)) {
	TABLE
	DEPEND mg
	FROM vmin TO vmax WITH 240
	mgfree = 1/(1 + exp(0.062 (/mV) * -v)*(mg/3.57 (mM)))
}
NET_RECEIVE(weight) { fast = fast + weight*scale  slow = slow + weight*scale }
