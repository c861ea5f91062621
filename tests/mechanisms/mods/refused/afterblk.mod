: BEFORE and AFTER blocks beside BREAKPOINT: a running mean after SOLVE, a counter before each step
NEURON { SUFFIX afterblk NONSPECIFIC_CURRENT i RANGE g, e, x, steps, mean }
UNITS { (mV) = (millivolt) (mA) = (milliamp) (S) = (siemens) }
PARAMETER { g = 1e-4 (S/cm2) e = -60 (mV) }
ASSIGNED { v (mV) i (mA/cm2) steps mean (mV) dt (ms) }
STATE { x }
INITIAL { x = 0 steps = 0 mean = v }
BEFORE STEP { steps = steps + 1 }
AFTER SOLVE { mean = mean + dt*(v - mean)/10 }
BREAKPOINT { SOLVE d METHOD cnexp i = g*(1 + x)*(v - e) }
DERIVATIVE d { x' = (1/(1 + exp(-(mean + 50)/5)) - x)/8 }
