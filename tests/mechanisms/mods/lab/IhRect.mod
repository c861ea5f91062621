: hyperpolarisation-activated cation current: NONSPECIFIC_CURRENT with its own reversal, states by alpha and beta directly
COMMENT Rates: Kole, Hallermann and Stuart 2006
ENDCOMMENT the text after it on the line is skipped too

NEURON	{
	SUFFIX IhRect
	NONSPECIFIC_CURRENT ihcn
	RANGE gbar, ihcn, q
	GLOBAL ehcn
}
UNITS	{ (S) = (siemens) (mV) = (millivolt) (mA) = (milliamp) }
PARAMETER	{
	gbar = 0.0005 (S/cm2)
	ehcn =  -45.0 (mV)
}
ASSIGNED	{
	v	(mV)
	ihcn	(mA/cm2)
}
STATE	{ q }
INITIAL	{ q = alpha(v)/(alpha(v) + beta(v)) }
BREAKPOINT	{
	SOLVE gate METHOD cnexp
	ihcn = gbar*q*(v-ehcn)
}
DERIVATIVE gate	{ q' = alpha(v)*(1 - q) - beta(v)*q }

FUNCTION alpha(v (mV)) (/ms) { LOCAL x
UNITSOFF
	x = (v + 154.9)/11.9
	if (x == 0) { alpha = 0.0765
	} else { alpha = 0.0765*x/(exp(x) - 1) }
UNITSON
}
FUNCTION beta(v (mV)) (/ms) {
	beta = 0.193 (/ms) * exp(v/33.1(mV))
}
