:Comment : M-current after Adams, Brown and Constanti 1982; "- -35", temperature in numbers, no newline at the end
NEURON{ SUFFIX KmSlow
	USEION k READ ek WRITE ik
	RANGE gbar, g, ik, aM,bM,wLim , wTau }
UNITS{ (S) = (siemens) (mV) = (millivolt) (mA) = (milliamp) }
PARAMETER{ gbar = 0.0008 (S/cm2) }
ASSIGNED{
	v (mV) ek (mV) ik (mA/cm2) g (S/cm2)
	wLim wTau aM bM
}
STATE{ w }
BREAKPOINT{ SOLVE states METHOD cnexp g = gbar*w ik = g*(v-ek) }
DERIVATIVE states{ rates() w' = (wLim-w)/wTau }
INITIAL{ rates() w = wLim }
PROCEDURE rates(){ LOCAL up, dn
	UNITSOFF
	up = 2.5*0.04*(v - -35)  dn = -2.5*0.04*(v - -35)
	aM = 3.3e-3*exp(up)
	bM = 3.3E-3*exp(dn)
	wLim = aM/(aM + bM)
	wTau = (1/(aM + bM))/2.3^((34-21)/10)
	UNITSON
}