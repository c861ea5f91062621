: two nonspecific currents and an ion in one density mechanism, time-dependent conductance by t, PARAMETER used in IF
NEURON {
	SUFFIX tworoads
	NONSPECIFIC_CURRENT i1, i2
	USEION na READ ena WRITE ina
	RANGE g1, g2, e1, e2, period, on, off, gna
}
UNITS { (mV) = (millivolt) (mA) = (milliamp) (S) = (siemens) PI = (pi) (1) }
PARAMETER {
	g1 = 5e-5 (S/cm2)	e1 = -90 (mV)
	g2 = 1e-4 (S/cm2)	e2 = -40 (mV)
	gna = 2e-5 (S/cm2)
	period = 40 (ms)	on = 20 (ms)	off = 150 (ms)
}
ASSIGNED { v (mV) i1 (mA/cm2) i2 (mA/cm2) ena (mV) ina (mA/cm2) drive }
BREAKPOINT {
	drive = 0
	if (t > on && t < off) { drive = 0.5*(1 - cos(2*PI*(t - on)/period)) }
	i1 = g1*(v - e1)
	i2 = g2*drive*(v - e2)
	ina = gna*(1 + drive)*(v - ena)
}
