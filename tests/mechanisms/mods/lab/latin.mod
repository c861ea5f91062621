TITLE persistent sodium, 22 degC, with bytes of ISO 8859-1 in its comments, tabs and spaces mixed
COMMENT
écrit à Montréal; Vm½ = -50 mV, 22 °C; instantaneous activation, slow inactivation; curly brackets at odd places
ENDCOMMENT
NEURON
{
 SUFFIX latin
	 USEION na READ ena WRITE ina
 RANGE gnap , inap
}
UNITS
{
 (mV) = (millivolt)
	(mA) = (milliamp)
}
PARAMETER
{
 gnap = 0.0004 (mho/cm2)
}
ASSIGNED
{
 v ( mV )
	ena ( mV )
 ina ( mA / cm2 )
	inap (mA/cm2)
}
STATE
{ h
}
INITIAL
{ h = 1 / ( 1 + exp ( ( v + 52 ) / 14 ) )
}
BREAKPOINT
{
 SOLVE lent METHOD cnexp
	ina = gnap * h * ( v - ena ) / ( 1 + exp ( - ( v + 50 ) / 4.5 ) )
 inap
	=
 ina
}
DERIVATIVE lent
{
 h'
 = ( 1 / ( 1 + exp ( ( v + 52 ) / 14 ) )
    - h ) / ( 200 + 2000 / ( 1 + exp ( ( v + 60 ) / 10 ) ) )
}
