:Comment : fast potassium current; sigmoids with every number in brackets, no temperature, blocks without blank lines
NEURON	{
	SUFFIX KvShaw
	USEION k READ ek WRITE ik
	RANGE gShawBar, gShaw, ik 
}
UNITS	{
	(S) = (siemens)
	(mV) = (millivolt)
	(mA) = (milliamp)
}
PARAMETER	{
	gShawBar = 0.005 (S/cm2) 
}
ASSIGNED	{
	v	(mV)
	ek	(mV)
	ik	(mA/cm2)
	gShaw	(S/cm2)
	xLim
	xTime
}
STATE	{ 
	x
}
BREAKPOINT	{
	SOLVE states METHOD cnexp
	gShaw = ((gShawBar)*(x))
	ik = gShaw*(v-ek)
}
DERIVATIVE states	{
	sigmoids()
	x' = ((xLim)-(x))/(xTime)
}
INITIAL{
	sigmoids()
	x = xLim
}
PROCEDURE sigmoids(){
	UNITSOFF
		xLim =  1.000/(1.000+exp(((v -(15.000))/(-9.500))))
		xTime =  0.3+4.000/(1.000+exp(((v -(-45.000))/(44.000))))
	UNITSON
}
