TITLE potassium gate by nested FUNCTIONs, PROCEDUREs that call PROCEDUREs, a long ELSE IF chain, && || ! and names that are words of Python
:   rates are called only from BREAKPOINT: the DERIVATIVE uses what the current left behind

NEURON{
  SUFFIX chooser
  USEION k READ ek WRITE ik
  RANGE gbar, lambda, del, pass, is, g
  GLOBAL inf, tau
}
UNITS{
  (mV)=(millivolt)
  (mA)=(milliamp)
  (S)=(siemens)
}
PARAMETER{
  gbar=.004(S/cm2)
  lambda=1.5
  del=-35(mV)
  pass=8(mV)
  is=1
}
STATE{ n }
ASSIGNED{
  v(mV) ek(mV) ik(mA/cm2) g(S/cm2)
  inf tau(ms) celsius(degC) E I
}
INITIAL{
  outer(v)
  n=inf
}
BREAKPOINT{
  outer(v)
  SOLVE states METHOD cnexp
  g=gbar*n*n
  ik=g*(v-ek)
}
DERIVATIVE states{ n'=(inf-n)/tau }

PROCEDURE outer(v(mV)){
  LOCAL lim
  middle(v, lambda)
  lim=0.3
  IF(tau<lim){ tau=lim }
  IF(!(is==1)&&v>0){ tau=tau*2 }
}
PROCEDURE middle(v(mV), scale){
  I=sig(v, del, pass)
  inf=I
  E=inner(v)
  tau=scale*E
}
FUNCTION inner(v(mV)){
  LOCAL yield
  yield=2
  IF(v<-90||v>90){ yield=1
  }ELSE IF(v<-70){ yield=3
  }ELSE IF(v<-50){ yield=3+(v+70)/10
  }ELSE IF(v<=-30){ LOCAL d d=5-(v+50)/20*2 yield=d
  }ELSE IF(v>=-30&&v!=0){ yield=1.5+1.5*exp(-(v+30)/20)
  }ELSE{ yield=1.5+1.5*exp(-1.5) }
  inner=yield
}
FUNCTION sig(v(mV), h(mV), k(mV)){ sig=recip(1+ex((h-v)/k)) }
FUNCTION recip(x){ recip=1/x }
FUNCTION ex(x){ ex=bounded(x, 50) }
FUNCTION bounded(x, top){
  IF(x>top){ bounded=exp(top) }ELSE IF(x< -top){ bounded=exp(-top) }ELSE{ bounded=exp(x) }
}
