TITLE Mod file for component: Component(id=nmlexport type=ionChannelHH)

COMMENT

    In the style of files exported from a declarative model description: long names, every quantity a RANGE,
    rates in a PROCEDURE that ends with rate_ variables, standard units written out (Hodgkin-Huxley potassium)

ENDCOMMENT

NEURON {
    SUFFIX nmlexport
    USEION k WRITE ik VALENCE 1 ? Assuming valence = 1; the reversal potential is a parameter here
    
    RANGE gion                           
    RANGE gmax                              : Will be changed when ion channel mechanism placed on cell!
    RANGE conductance                       : parameter
    
    RANGE g                                 : exposure
    
    RANGE fopen                             : exposure
    RANGE gates_n_instances                 : parameter
    RANGE gates_n_tau                       : exposure
    RANGE gates_n_inf                       : exposure
    RANGE gates_n_fcond                     : exposure
    RANGE gates_n_forward_rate, gates_n_forward_midpoint, gates_n_forward_scale, gates_n_forward_r
    RANGE gates_n_reverse_rate, gates_n_reverse_midpoint, gates_n_reverse_scale, gates_n_reverse_r
    RANGE gates_n_forward_x, rev
    
}

UNITS {
    
    (nA) = (nanoamp)
    (uA) = (microamp)
    (mA) = (milliamp)
    (mV) = (millivolt)
    (mS) = (millisiemens)
    (uS) = (microsiemens)
    (molar) = (1/liter)
    (mM) = (millimolar)
    (um) = (micrometer)
    (umol) = (micromole)
    (S) = (siemens)
    
}

PARAMETER {
    
    gmax = 0.01  (S/cm2)                       : Will be changed when ion channel mechanism placed on cell!
    
    conductance = 1.0E-5 (uS)
    gates_n_instances = 4 
    gates_n_forward_rate = 0.1 (kHz)
    gates_n_forward_midpoint = -55 (mV)
    gates_n_forward_scale = 10 (mV)
    gates_n_reverse_rate = 0.125 (kHz)
    gates_n_reverse_midpoint = -65 (mV)
    gates_n_reverse_scale = -80 (mV)
    rev = -77 (mV)
}

ASSIGNED {
    
    gion   (S/cm2)                          : Transient conductance density of the channel
    v (mV)
    celsius (degC)
    temperature (K)
    ik (mA/cm2)
    
    
    gates_n_forward_x                      : derived variable
    
    gates_n_forward_r (kHz)                : conditional derived var...
    
    gates_n_reverse_r (kHz)                : derived variable
    
    gates_n_rateScale                      : derived variable
    
    gates_n_fcond                          : derived variable
    
    gates_n_inf                            : derived variable
    
    gates_n_tau (ms)                       : derived variable
    
    conductanceScale                       : derived variable
    
    fopen0                                 : derived variable
    
    fopen                                  : derived variable
    
    g (uS)                                 : derived variable
    rate_gates_n_q (/ms)
    
}

STATE {
    gates_n_q  
    
}

INITIAL {
    temperature = celsius + 273.15
    
    rates()
    rates() ? To ensure correct initialisation.
    
    gates_n_q = gates_n_inf
    
}

BREAKPOINT {
    
    SOLVE states METHOD cnexp
    
    ? DerivedVariable is based on path: conductanceScaling[*]/factor, on: Component(id=nmlexport)
    ? Path not present in component, using factor: 1
    
    conductanceScale = 1 
    
    ? DerivedVariable is based on path: gates[*]/fcond
    fopen0 = gates_n_fcond ? path based, prefix = 
    
    fopen = conductanceScale  *  fopen0 ? evaluable: fopen counts the gates
    g = conductance  *  fopen ? evaluable
    gion = gmax * fopen 
    
    ik = gion * (v - rev)
    
}

DERIVATIVE states {
    rates()
    gates_n_q' = rate_gates_n_q 
    
}

PROCEDURE rates() {
    
    gates_n_forward_x = (v -  gates_n_forward_midpoint ) /  gates_n_forward_scale ? evaluable
    if (gates_n_forward_x  != 0)  { 
        gates_n_forward_r = gates_n_forward_rate  *  gates_n_forward_x  / (1 - exp(0 -  gates_n_forward_x )) ? evaluable cdv
    } else if (gates_n_forward_x  == 0)  { 
        gates_n_forward_r = gates_n_forward_rate ? evaluable cdv
    }
    
    gates_n_reverse_r = gates_n_reverse_rate  * exp((v -  gates_n_reverse_midpoint )/ gates_n_reverse_scale ) ? evaluable
    gates_n_rateScale = 1 
    
    gates_n_fcond = gates_n_q ^ gates_n_instances ? evaluable
    gates_n_inf = gates_n_forward_r /( gates_n_forward_r  +  gates_n_reverse_r ) ? evaluable
    gates_n_tau = 1/(( gates_n_forward_r  +  gates_n_reverse_r ) *  gates_n_rateScale ) ? evaluable
    
     
    rate_gates_n_q = ( gates_n_inf  -  gates_n_q ) /  gates_n_tau ? Note units of all quantities used here need to be consistent!
    
     
    
}
