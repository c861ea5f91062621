: membrane calcium pump by KINETIC: ca + pump <-> pumpca <-> pump + cao, COMPARTMENTs of volume and of area, f_flux and b_flux
NEURON {
    SUFFIX capumpk
    USEION ca READ cao, cai, ica WRITE cai, ica
    RANGE ica_pmp, depth, beta
    GLOBAL k1, k2, k3, k4, pump0
}
UNITS {
    (mol) = (1)
    (molar) = (1/liter)
    (mM) = (millimolar)
    (um) = (micron)
    (mA) = (milliamp)
    FARADAY = (faraday) (10000 coulomb)
}
PARAMETER {
    k1 = 1e3 (/mM-s)
    k2 = 2 (/s)
    k3 = 40 (/s)
    k4 = 0.01 (/mM-s)
    pump0 = 3e-12 (mol/cm2)
    depth = 0.4 (um)
    beta = 25
}
ASSIGNED {
    ica (mA/cm2)
    cao (mM)
    cai (mM)
    ica_pmp (mA/cm2)
    ica_pmp_last (mA/cm2)
}
CONSTANT { volo = 1e10 (um2) }
STATE {
    ca (mM) <1e-10>
    pump (mol/cm2) <1e-15>
    pumpca (mol/cm2) <1e-15>
}
INITIAL {
    LOCAL keq
    ca = cai
    keq = k1*(.001)*cai/(k2*(.001))
    pump = pump0/(1 + keq)
    pumpca = pump0 - pump
    ica_pmp = 0
    ica_pmp_last = 0
}
BREAKPOINT {
    SOLVE pmp METHOD sparse
    ica_pmp_last = ica_pmp
    ica = ica_pmp
}
KINETIC pmp {
    COMPARTMENT depth*beta {ca}
    COMPARTMENT (1e10) {pump pumpca}
    COMPARTMENT volo {cao}
    ~ ca << (-(ica - ica_pmp_last)/(2*FARADAY))
    ~ ca + pump <-> pumpca (k1*(1e7), k2*(1e7))
    ~ pumpca <-> pump + cao (k3*(1e7), k4*(1e7))
    ica_pmp = 2*FARADAY*(f_flux - b_flux)
    CONSERVE pump + pumpca = (1e10)*pump0
    cai = ca
}
