COMMENT
Short-term plasticity after Tsodyks, Uziel and Markram 2000. Fractions: x recovered, y active, z inactive; x + y + z = 1.
The variables belong to the connection, so that one instance serves many; they are advanced from tsyn to t at each event.
ENDCOMMENT
NEURON {
	POINT_PROCESS TsoMark
	RANGE e, i, tau_1, tau_rec, tau_facil, U, u0
	NONSPECIFIC_CURRENT i
}
UNITS { (nA) = (nanoamp) (mV) = (millivolt) (umho) = (micromho) }
PARAMETER {
	e = 0	(mV)
	tau_1 = 3 (ms) < 1e-9, 1e9 >
	tau_rec = 120 (ms) < 1e-9, 1e9 >
	tau_facil = 300 (ms) < 0, 1e9 >
	U = 0.1 (1) < 0, 1 >
	u0 = 0 (1) < 0, 1 >
}
ASSIGNED { v (mV) i (nA) x }
STATE { g (umho) }
INITIAL { g=0 }
BREAKPOINT {
	SOLVE state METHOD cnexp
	i = g*(v - e)
}
DERIVATIVE state { g' = -g/tau_1 }
NET_RECEIVE(weight (umho), y, z, u, tsyn (ms)) { LOCAL gap, back
INITIAL {
	y = 0
	z = 0
	u = u0
	tsyn = t
}
	gap = t - tsyn
	: inactive first, it needs the old y
	back = 1/(tau_rec/tau_1 - 1)
	z = z*exp(-gap/tau_rec) + y*(exp(-gap/tau_rec) - exp(-gap/tau_1))*tau_rec/tau_1*back
	y = y*exp(-gap/tau_1)
	x = 1 - y - z
	if (tau_facil > 0) {
		u = u*exp(-gap/tau_facil)
		u = u + U*(1 - u)
	} else {
		u = U
	}
	g = g + weight*x*u
	y = y + x*u
	tsyn = t
}
