TITLE h current regulated by calcium: KINETIC with voltage-dependent and calcium-dependent steps, two CONSERVE
:
:     closed <-> free      by voltage
:     empty  <-> full      a protein that binds nb calcium ions
:     free   <-> locked    by the full protein; k_lock is computed from a STATE before the reactions
:
:  scheme after Destexhe, Babloyantz and Sejnowski 1993, constants ours
:
INDEPENDENT {t FROM 0 TO 1 WITH 1 (ms)}

NEURON {
	SUFFIX ihca
	USEION ca READ cai
	NONSPECIFIC_CURRENT ih
        RANGE gbar, eh, lim, tau, open, shift
	GLOBAL kb, half, ku, full_half, nb, np, more, taumin
}

UNITS {
	(molar)	= (1/liter)
	(mM)	= (millimolar)
	(mA) 	= (milliamp)
	(mV) 	= (millivolt)
}

PARAMETER {
	eh	= -43	(mV)
	celsius = 36	(degC)
	gbar	= .0004 (mho/cm2)
	half	= 0.002 (mM)
	kb	= 0.0004 (1/ms)
	full_half = 0.01
	ku	= 0.001	(1/ms)
	nb	= 4
	np	= 1
	more	= 2
	taumin	= 20	(ms)
	shift	= 0	(mV)
}

STATE {
	closed
	free
	locked
	empty
	full
}

ASSIGNED {
	v	(mV)
	cai	(mM)
	ih	(mA/cm2)
	lim
	tau	(ms)
	up	(1/ms)
	down	(1/ms)
	bind	(1/ms)
	k_lock	(1/ms)
	open
	warm
}

BREAKPOINT {
	SOLVE scheme METHOD sparse
	open = free + more * locked
	ih = gbar * open * (v - eh)
}

KINETIC scheme {
	constants(v,cai)
	~ closed <-> free	(up,down)
	~ empty <-> full	(bind,kb)
	~ free <-> locked	(k_lock,ku)
	CONSERVE empty + full = 1
	CONSERVE closed + free + locked = 1
}

INITIAL {
	warm = 3.0 ^ ((celsius-36 (degC) )/10 (degC) )
	constants(v,cai)
	closed = 1
	free = 0
	locked = 0
	empty = 1
	full = 0
}

UNITSOFF
PROCEDURE constants(v (mV), c (mM)) {
	lim = 1 / ( 1 + exp((v+75-shift)/5.5) )
	tau = (taumin + 1000 / ( exp((v+71.5-shift)/14.2) + exp(-(v+89-shift)/11.6) ) ) / warm
	up = lim / tau
	down  = ( 1 - lim ) / tau
	bind = kb * (c/half)^nb
	k_lock = ku * (full/full_half)^np
}
UNITSON
