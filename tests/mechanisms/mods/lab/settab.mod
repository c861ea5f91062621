TITLE sodium of bursting cortical cells: settables(v) with TABLE and no DEPEND, time constants by IF ELSE on v
: piecewise rates after Traub and others 2003; INITIAL calls the table with v - shift; GLOBALs absent: scratch is RANGE

INDEPENDENT { t FROM 0 TO 1 WITH 1 (ms) }

UNITS {
	(mV) = (millivolt)
	(mA) = (milliamp)
}

NEURON {
	SUFFIX settab
	USEION na READ ena WRITE ina
	RANGE gbar, ina, m, h, df, shift_m
}

PARAMETER {
	shift_m = -3.5	(mV)
	gbar = 0.05 	(mho/cm2)
	v ena 		(mV)
}

ASSIGNED {
	ina 		(mA/cm2)
	m0_ h0_ 	(1)
	tm th 		(ms)
	df		(mV)
}

STATE { h m }

BREAKPOINT {
	SOLVE states METHOD cnexp
	df = v - ena
	ina = gbar * m * m * m * h * ( v - ena )
}

INITIAL {
	settables( v + shift_m )
	m  = m0_
	m = 0
	settables(v)
	h  = h0_
}

DERIVATIVE states {
	settables( v + shift_m )
	m' = ( m0_ - m ) / tm
	settables( v )
	h' = ( h0_ - h ) / th
}

UNITSOFF

PROCEDURE settables(v1(mV)) {

	TABLE m0_, h0_, tm, th  FROM -120 TO 40 WITH 641

	m0_  = 1 / ( 1 + exp( ( - v1 - 38 ) / 10 ) )
	if( v1 < -30.0 ) {
		tm = 0.025 + 0.14 * exp( ( v1 + 30 ) / 10 )
	} else{
		tm = 0.02 + 0.145 * exp( ( - v1 - 30 ) / 10 )
	}

	h0_  = 1 / ( 1 + exp( ( v1 + 62.9 ) / 10.7 ) )
	th = 0.15 + 1.15 / ( 1 + exp( ( v1 + 37 ) / 15 ) )
}

UNITSON
