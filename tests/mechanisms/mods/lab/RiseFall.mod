TITLE two exponentials; INITIAL mends the time constants and normalises; checks with IF; events change two states
NEURON {
	POINT_PROCESS RiseFall
	RANGE trise, tfall, e, i
	NONSPECIFIC_CURRENT i
	RANGE g, total
}
UNITS {
	(nA) = (nanoamp)
	(mV) = (millivolt)
	(uS) = (microsiemens)
}
PARAMETER {
	trise=.5 (ms) <1e-9,1e9>
	tfall = 6 (ms) <1e-9,1e9>
	e=0	(mV)
}
ASSIGNED { v (mV) i (nA) g (uS) norm total (uS) }
STATE { up (uS) down (uS) }
INITIAL {
	LOCAL tpeak
	total = 0
	if (trise/tfall > 0.9999) { trise = 0.9999*tfall }
	if (trise/tfall < 1e-9) { trise = tfall*1e-9 }
	up = 0
	down = 0
	tpeak = log(tfall/trise)/(1/trise - 1/tfall)
	norm = exp(-tpeak/tfall) - exp(-tpeak/trise)
	norm = 1/norm
}
BREAKPOINT {
	SOLVE fall METHOD cnexp
	g = down - up
	i = g*(v - e)
}
DERIVATIVE fall {
	up' = -up/trise
	down' = -down/tfall
}
NET_RECEIVE(weight (uS)) {
	INITIAL { }
	if (weight > 0) {
		up = up + weight*norm
		down = down + weight*norm
		total = total + weight
	}
}
