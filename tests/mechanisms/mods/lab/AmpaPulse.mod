TITLE AMPA receptor of two states; each presynaptic event makes a pulse of transmitter of duration Cdur
COMMENT
  C + T <-> O with rates alpha, beta. During a pulse R relaxes to Rlim with time constant Rtau, after it decays with beta.
  A second event during a pulse prolongs it: nspike counts events, so that only the last self event ends the pulse.
  Ron and Roff are the conductance of synapses in and out of their pulse (many connections in one instance).
  Scheme: Destexhe, Mainen and Sejnowski 1994.
ENDCOMMENT

NEURON {
	POINT_PROCESS AmpaPulse
	RANGE R, g, i
	NONSPECIFIC_CURRENT i
	GLOBAL Cdur, Alpha, Beta, Erev, Rlim, Rtau
}
UNITS {
	(nA) = (nanoamp)
	(mV) = (millivolt)
	(umho) = (micromho)
}

PARAMETER {
	Cdur	= 1.0	(ms)
	Alpha	= 1.1	(/ms)
	Beta	= 0.19	(/ms)
	Erev	= 0	(mV)
}

ASSIGNED {
	v		(mV)
	i 		(nA)
	g 		(umho)
	Rlim
	Rtau		(ms)
	synon
	R
}

STATE {Ron Roff}

INITIAL {
	Rlim = Alpha / (Alpha + Beta)
	Rtau = 1 / (Alpha + Beta)
	synon = 0
	Ron = 0
	Roff = 0
}

BREAKPOINT {
	SOLVE release METHOD cnexp
	R = Ron + Roff
	g = R*1(umho)
	i = g*(v - Erev)
}

DERIVATIVE release {
	Ron' = (synon*Rlim - Ron)/Rtau
	Roff' = -Beta*Roff
}

: three arguments: weight is given, the others belong to the connection
NET_RECEIVE(weight, on, nspike, r0, t0 (ms)) {
	: flag is 0 for an event and nspike for the self event that ends its pulse
	if (flag == 0) {
		nspike = nspike + 1
		if (!on) {
			r0 = r0*exp(-Beta*(t - t0))
			t0 = t
			on = 1
			synon = synon + weight
			Ron = Ron + r0
			Roff = Roff - r0
		}
		net_send(Cdur, nspike)
	}
	if (flag == nspike) {
		r0 = weight*Rlim + (r0 - weight*Rlim)*exp(-(t - t0)/Rtau)
		t0 = t
		synon = synon - weight
		Ron = Ron - r0
		Roff = Roff + r0
		on = 0
	}
}
