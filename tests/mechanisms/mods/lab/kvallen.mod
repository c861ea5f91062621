: Reference: rate equations of Hamill and others 1991; Kv channel of two inactivation rates in one state, LOCAL qt in two blocks
: Comment: temperature in rates() only, unused FUNCTION, trailing UNITSOFF without UNITSON
NEURON	{
	SUFFIX kvallen
	USEION k READ ek WRITE ik
	RANGE gbar, g, ik
}
UNITS	{
	(S) = (siemens)
	(mV) = (millivolt)
	(mA) = (milliamp)
}
PARAMETER	{ gbar = 0.003 (S/cm2) }
ASSIGNED	{
	v	(mV)
	ek	(mV)
	ik	(mA/cm2)
	g	(S/cm2)
	celsius (degC)
	mInf
	mTau
	mAlpha
	mBeta
	hInf
	h1Tau
	h2Tau
}
STATE	{
	m
	h1
	h2
}
BREAKPOINT	{
	SOLVE states METHOD cnexp
	g = gbar*m*m*(0.5*h1+0.5*h2)
	ik = g*(v-ek)
}
DERIVATIVE states	{
	rates()
	m' = (mInf-m)/mTau
	h1' = (hInf-h1)/h1Tau
	h2' = (hInf-h2)/h2Tau
}
INITIAL{
	rates()
	m = mInf
	h1 = hInf
	h2 = hInf
}
UNITSOFF
FUNCTION never(x) { never = x*x/0.5 }
PROCEDURE rates(){
	LOCAL qt
	qt = 2.3^((celsius-21)/10)
	mAlpha = 0.12*vtrap(-(v-43),11.0)
	mBeta = 0.02*exp(-(v+1.27)/120)
	mInf = mAlpha/(mAlpha+mBeta)
	mTau = 1/(2.5*(mAlpha+mBeta)*qt)
	hInf = 1/(1+exp((v+58)/11))
	h1Tau = (360+(1010+23.7*(v+54))*exp(-((v+75)/48)^2))/qt
	h2Tau = (2350+1380*exp(-0.01118*v)-210*exp(-0.0306*v))/qt
	if (h2Tau < 0 || h2Tau > 5000) { h2Tau = 5000 }
	if (h1Tau < 1) { h1Tau = 1 }
}
FUNCTION vtrap(x,y) { : x/(exp(x/y) - 1)
	if (fabs(x/y) < 1e-6) {
		vtrap = y*(1-x/y/2)
	} else {
		vtrap = x/(exp(x/y)-1)
	}
}
