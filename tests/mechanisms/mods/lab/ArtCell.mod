: artificial cell: a leaky integrator without membrane that reports its spikes by net_event
NEURON { ARTIFICIAL_CELL refcell RANGE tau, m }
PARAMETER { tau = 10 (ms) }
ASSIGNED { m t0 (ms) }
INITIAL { m = 0 t0 = 0 }
NET_RECEIVE(w) {
    m = m*exp(-(t - t0)/tau) + w
    t0 = t
    if (m > 1) { m = 0 net_event(t) }
}
