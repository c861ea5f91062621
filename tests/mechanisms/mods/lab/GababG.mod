TITLE GABA-B: receptor R, G protein to the fourth power, cut by flag events; METHOD cnexp on two coupled equations
:  transmitter pulse of Cdur; net_send(Cdur, nspike)
NEURON {
	POINT_PROCESS GababG
	RANGE R, G, g, i, synon, gmax
	NONSPECIFIC_CURRENT i
	GLOBAL K1, K2, K3, K4, KD, Erev, Cdur
}
UNITS { (nA) = (nanoamp) (mV) = (millivolt) (umho) = (micromho) }
PARAMETER {
	Cdur = 1 (ms)
	K1 = 0.5 (/ms)
	K2 = 0.0012 (/ms)
	K3 = 0.18 (/ms)
	K4 = 0.034 (/ms)
	KD = 100
	n = 4
	Erev = -95 (mV)
	gmax = 0.01 (umho)
}
ASSIGNED { v (mV) i (nA) g (umho) Gn synon }
STATE { R G }
INITIAL { R = 0  G = 0  synon = 0 }
BREAKPOINT {
	SOLVE bindkin METHOD derivimplicit
	Gn = G^n
	g = gmax * Gn / (Gn + KD)
	i = g*(v - Erev)
}
DERIVATIVE bindkin {
	R' = K1*synon*(1 - R) - K2*R
	G' = K3*R - K4*G
}
NET_RECEIVE(weight, nspike) {
	INITIAL { nspike = 0 }
	if (flag == 0) {
		nspike = nspike + 1
		if (nspike == 1) { synon = synon + weight }
		net_send(Cdur, -1)
	} else if (flag == -1) {
		nspike = nspike - 1
		if (nspike == 0) { synon = synon - weight }
	}
}
