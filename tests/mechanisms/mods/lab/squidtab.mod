TITLE squid axon: sodium, potassium and leak in one file, rates looked up in a TABLE that depends on celsius

COMMENT
   Equations: Hodgkin and Huxley 1952, with rest moved to -65 mV, at 6.3 degC.
   usetable_squidtab = 0 computes the rates exactly; the default is the table, 0.8 mV apart.
ENDCOMMENT

NEURON {
        SUFFIX squidtab
        USEION na READ ena WRITE ina
        USEION k READ ek WRITE ik
        NONSPECIFIC_CURRENT ileak
        RANGE gNa, gK, gLeak, eLeak
        GLOBAL mss, hss, nss, tm, th, tn
	THREADSAFE : each thread gets its own globals
}

UNITS {
        (mA) = (milliamp)
        (mV) = (millivolt)
	(S) = (siemens)
}

PARAMETER {
        gNa = .12 (S/cm2)	<0,1e9>
        gK = .036 (S/cm2)	<0,1e9>
        gLeak = .0003 (S/cm2)	<0,1e9>
        eLeak = -54.3 (mV)
}

STATE { m h n }

ASSIGNED {
        v (mV)    celsius (degC)
        ena (mV)  ek (mV)
	ina (mA/cm2)  ik (mA/cm2)  ileak (mA/cm2)
	mss  hss  nss
	tm (ms)  th (ms)  tn (ms)
}

? the three currents
BREAKPOINT {
        SOLVE gates METHOD cnexp
	ina = gNa*m^3*h*(v - ena)
	ik = gK*n^4*(v - ek)
        ileak = gLeak*(v - eLeak)
}

INITIAL {
	lookup(v)
	m = mss   h = hss   n = nss
}

? kinetics
DERIVATIVE gates {
        lookup(v)
        m' = (mss-m)/tm
        h' = (hss-h)/th
        n' = (nss-n)/tn
}

UNITSOFF
PROCEDURE lookup(u) { LOCAL up, down, warm
        TABLE mss, hss, nss, tm, th, tn DEPEND celsius FROM -100 TO 60 WITH 200
        warm = 3^((celsius - 6.3)/10)

        up = linoid(u + 40, 10)/10       :sodium, activation
        down = 4*exp(-(u + 65)/18)
        mss = up/(up + down)      tm = 1/(up + down)/warm

        up = 0.07*exp(-(u + 65)/20)      :sodium, inactivation
        down = 1/(1 + exp(-(u + 35)/10))
        hss = up/(up + down)      th = 1/(up + down)/warm

        up = linoid(u + 55, 10)/100      :potassium
        down = 0.125*exp(-(u + 65)/80)
        nss = up/(up + down)      tn = 1/(up + down)/warm
}

FUNCTION linoid(x, y) {  :x/(1 - exp(-x/y)), safe at x = 0
        if (fabs(x/y) > 1e-6) {
                linoid = x/(1 - exp(-x/y))
        }else{
                linoid = y + x/2
        }
}
UNITSON
