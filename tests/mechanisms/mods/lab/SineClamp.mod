TITLE sinusoidal current clamp (electrode), by t alone
: ELECTRODE_CURRENT: a positive current depolarises

NEURON {
	POINT_PROCESS SineClamp
	RANGE del, dur, amp, freq, phase, bias, i
	ELECTRODE_CURRENT i
}
UNITS {
	(nA) = (nanoamp)
	PI = (pi) (1)
}
PARAMETER {
	del = 10 (ms)
	dur = 150 (ms)	<0,1e9>
	amp = 0.03 (nA)
	freq = 20 (Hz)
	phase = 0 (rad)
	bias = 0.02 (nA)
}
ASSIGNED { i (nA) }
INITIAL { i = 0 }
BREAKPOINT {
	at_time(del)
	at_time(del+dur)

	if (t < del + dur && t >= del) {
		i = bias + amp*sin(2*PI*freq*(t - del)*(.001) + phase)
	}else{
		i = 0
	}
}
