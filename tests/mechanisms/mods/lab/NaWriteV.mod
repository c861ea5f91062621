:Comment : transient sodium whose rates() takes no argument and writes v to step over 0/0; Mixed case names
:Reference : activation after Colbert and Pan 2002

NEURON	{
	SUFFIX NaWriteV
	USEION na READ ena WRITE ina
	RANGE gNaBar, gNaNow, ina
}

UNITS	{
	(S) = (siemens)
	(mV) = (millivolt)
	(mA) = (milliamp)
}

PARAMETER	{
	gNaBar = 0.04 (S/cm2)
}

ASSIGNED	{
	v	(mV)
	ena	(mV)
	ina	(mA/cm2)
	gNaNow	(S/cm2)
	mLim
	mTime
	mUp
	mDown
	hLim
	hTime
	hUp
	hDown
}

STATE	{
	m
	h
}

BREAKPOINT	{
	SOLVE states METHOD cnexp
	gNaNow = gNaBar*m*m*m*h
	ina = gNaNow*(v-ena)
}

DERIVATIVE states	{
	rates()
	m' = (mLim-m)/mTime
	h' = (hLim-h)/hTime
}

INITIAL{
	rates()
	m = mLim
	h = hLim
}

PROCEDURE rates(){
  LOCAL q
  q = 2.3^((34-21)/10)
	UNITSOFF
    if(v == -40){
	v = v+0.001
    }
    if(v == -70) { v = v-0.001 }
	mUp = (0.18 * (v- -40))/(1-(exp(-(v- -40)/6)))
	mDown  = (0.12 * (-v -40))/(1-(exp(-(-v -40)/6)))
	mTime = (1/(mUp + mDown))/q
	mLim = mUp/(mUp + mDown)

	hUp = (-0.015 * (v- -70))/(1-(exp((v- -70)/6)))
	hDown  = (-0.015 * (-v -70))/(1-(exp((-v -70)/6)))
	hTime = (1/(hUp + hDown))/q
	hLim = hUp/(hUp + hDown)
	UNITSON
}
