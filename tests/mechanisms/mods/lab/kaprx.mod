TITLE A-type potassium channel; a file with Windows line ends; METHOD euler; charge that depends on v
: undocumented parameters without units, one statement after another on a line

NEURON {
    SUFFIX kaprx
    USEION k READ ek WRITE ik
    RANGE gmax,g
    GLOBAL nlim,llim,ltau,ntau,lmin
}
UNITS { (mA) = (milliamp) (mV) = (millivolt) }
PARAMETER {
    v (mV)
    ek
    celsius     (degC)
    gmax=.012 (mho/cm2)
    vn=11   (mV)  zn=-1.5 (1)  dn=0.55 (1)  kn=0.05 (/ms)
    vl=-56  (mV)  zl=3 (1)
    lmin=2  (ms)  nmin=0.1 (ms)
    pw=-1   tq=-40   qq=5   q10=5
}
STATE { n l }
ASSIGNED { ik (mA/cm2) nlim llim ltau ntau g }

INITIAL { rates(v)  n=nlim  l=llim }

BREAKPOINT {
    SOLVE states METHOD euler
    g = gmax*n*l
    ik = g*(v-ek)
}

DERIVATIVE states { rates(v)  n' = (nlim - n)/ntau  l' = (llim - l)/ltau }

FUNCTION charge(v(mV)) { charge=zn+pw/(1+exp((v-tq)/qq)) }
FUNCTION an(v(mV)) { LOCAL z
    z=charge(v)
    an = exp(1.e-3*z*(v-vn)*9.648e4/(8.315*(273.16+celsius)))
}
FUNCTION bn(v(mV)) { LOCAL z
    z=charge(v)
    bn = exp(1.e-3*z*dn*(v-vn)*9.648e4/(8.315*(273.16+celsius)))
}
FUNCTION al(v(mV)) { al = exp(1.e-3*zl*(v-vl)*9.648e4/(8.315*(273.16+celsius))) }

PROCEDURE rates(v (mV)) { LOCAL a,qt
    qt=q10^((celsius-24)/10)
    a = an(v)  nlim = 1/(1 + a)
    ntau = bn(v)/(qt*kn*(1+a))  if (ntau<nmin) {ntau=nmin}
    a = al(v)  llim = 1/(1+ a)
    ltau = 0.26*(v+50)
    if (ltau<lmin) {
        ltau=lmin
    }
}
