: refused: random numbers in the dynamics, by RANDOM and by normrand (NEURON compiles it)
NEURON {
    POINT_PROCESS refnoise
    ELECTRODE_CURRENT i
    RANGE sd, tau, i
    RANDOM ran
}
UNITS { (nA) = (nanoamp) }
PARAMETER { sd = 0.01 (nA) tau = 3 (ms) }
ASSIGNED { i (nA) dt (ms) x (nA) }
INITIAL { x = 0 }
BREAKPOINT {
    SOLVE walk
    i = x
}
PROCEDURE walk() {
    x = x*exp(-dt/tau) + sd*random_normal(ran)*sqrt(1 - exp(-2*dt/tau)) + normrand(0, 1e-9)
}
