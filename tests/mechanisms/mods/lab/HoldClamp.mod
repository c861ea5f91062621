: single-electrode voltage clamp with series resistance rs and three levels; ELECTRODE_CURRENT that depends on v
NEURON {
	POINT_PROCESS HoldClamp
	ELECTRODE_CURRENT i
	RANGE e0, e1, e2, dur0, dur1, dur2, rs, vc, i, on
}
UNITS {
	(nA) = (nanoamp)
	(mV) = (millivolt)
	(Mohm) = (megohm)
}
PARAMETER {
	rs = 5 (Mohm) <1e-9,1e9>
	dur0 = 30 (ms)  e0 = -70 (mV)
	dur1 = 60 (ms)  e1 = -20 (mV)
	dur2 = 40 (ms)  e2 = -90 (mV)
}
ASSIGNED { v (mV) i (nA) vc (mV) on }
INITIAL { on = 0 }
BREAKPOINT {
	SOLVE level METHOD after_cvode
	if (on) { i = (vc - v)/rs } else { i = 0 }
}
PROCEDURE level() {
	on = 1
	at_time(dur0) at_time(dur0 + dur1) at_time(dur0 + dur1 + dur2)
	if (t < dur0) { vc = e0
	} else if (t < dur0 + dur1) { vc = e1
	} else if (t < dur0 + dur1 + dur2) { vc = e2
	} else { vc = 0 on = 0 }
}
