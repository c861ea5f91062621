: adaptation over many time scales: an array of STATEs advanced by hand in FROM loops, SOLVE without METHOD, sum over a LOCAL
DEFINE NT 3
NEURON { SUFFIX multitau USEION k READ ek WRITE ik RANGE gbar, g, a GLOBAL taus }
UNITS { (mV) = (millivolt) (mA) = (milliamp) (S) = (siemens) }
PARAMETER { gbar = 0.001 (S/cm2) }
ASSIGNED { v (mV) dt (ms) ek (mV) ik (mA/cm2) g (S/cm2) lim taus[NT] (ms) w[NT] }
STATE { a[NT] }
INITIAL {
    goal()
    FROM k=0 TO NT-1 {
        taus[k] = 3*5^k
        w[k] = 1/(k + 1)
        a[k] = lim
    }
}
BREAKPOINT { LOCAL sum
    SOLVE adapt
    sum = 0
    FROM k=0 TO NT-1 { sum = sum + w[k]*a[k] }
    g = gbar*sum
    ik = g*(v - ek)
}
PROCEDURE adapt() {
    goal()
    FROM k=0 TO NT-1 { a[k] = a[k] + (1 - exp(-dt/taus[k]))*(lim - a[k]) }
}
PROCEDURE goal() { lim = 1/(1 + exp(-(v + 45)/6)) }
