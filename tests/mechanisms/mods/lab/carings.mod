TITLE radial diffusion of calcium in shells, a mobile buffer and a membrane pump: DEFINE, arrays, FROM loops, COMPARTMENT

COMMENT
The section is cut into NS rings of equal thickness. ca[0] is the outermost and is what the membrane sees.
Amounts per length: volume of ring i is vol[i] um2; flow between i and i+1 is D fr[i] (um2/ms) times the difference.
The geometry is computed once, by INITIAL, from diam.
ENDCOMMENT

DEFINE NS 4

NEURON {
    SUFFIX carings
    USEION ca READ cao, cai, ica WRITE cai, ica
    RANGE ica_pump, total, inner
    GLOBAL dca, dmob, btot, pumprate, pumpk
    THREADSAFE
}

UNITS {
    (molar) = (1/liter)
    (mM) = (millimolar)
    (um) = (micron)
    (mA) = (milliamp)
    FARADAY = (faraday) (10000 coulomb)
    PI = (pi) (1)
    (mol) = (1)
}

PARAMETER {
    dca = 0.4 (um2/ms)
    dmob = 0.1 (um2/ms)
    btot = 0.08 (mM)
    kon = 100 (/mM-ms)
    koff = 0.05 (/ms)
    pumprate = 0.0005 (um/ms)
    pumpk = 0.001 (mM)
    leakca = 5e-5 (mM)
}

ASSIGNED {
    diam (um)
    ica (mA/cm2)
    cai (mM)
    cao (mM)
    vol[NS] (um2)
    fr[NS] (1)
    ica_pump (mA/cm2)
    last_pump (mA/cm2)
    total (mM um2)
    inner (mM)
}

STATE {
    ca[NS] (mM) <1e-10>
    buf[NS] (mM)
    cabuf[NS] (mM)
}

BREAKPOINT {
    SOLVE diffusion METHOD sparse
    last_pump = ica_pump
    ica = ica_pump
    inner = ca[NS-1]
}

INITIAL {
    geometry()
    FROM i=0 TO NS-1 {
        ca[i] = cai
        buf[i] = btot*koff/(koff + kon*cai)
        cabuf[i] = btot - buf[i]
    }
    ica_pump = 0
    last_pump = 0
    count()
}

PROCEDURE geometry() { LOCAL dr, r
    dr = diam/2/NS
    r = diam/2
    FROM i=0 TO NS-1 {
        vol[i] = PI*(2*r - dr)*dr
        r = r - dr
        fr[i] = 2*PI*r/dr
    }
}

PROCEDURE count() {
    total = 0
    FROM i=0 TO NS-1 { total = total + vol[i]*(ca[i] + cabuf[i]) }
}

KINETIC diffusion {
    COMPARTMENT i, vol[i] {ca buf cabuf}
    ica_pump = 2*FARADAY*pumprate*(ca[0] - leakca)/(1 + ca[0]/pumpk)
    : what channels bring, without this mechanism's own part of the step before
    ~ ca[0] << (-(ica - last_pump)*PI*diam/(2*FARADAY))
    ~ ca[0] << (-ica_pump*PI*diam/(2*FARADAY))
    FROM i=0 TO NS-2 {
        ~ ca[i] <-> ca[i+1] (dca*fr[i], dca*fr[i])
        ~ buf[i] <-> buf[i+1] (dmob*fr[i], dmob*fr[i])
        ~ cabuf[i] <-> cabuf[i+1] (dmob*fr[i], dmob*fr[i])
    }
    FROM i=0 TO NS-1 {
        ~ ca[i] + buf[i] <-> cabuf[i] (kon*vol[i], koff*vol[i])
    }
    cai = ca[0]
}
