: a synapse with a refractory switch: net_send(dur, 1) opens a window, flag == 1 ends it, net_event(t) reports it
NEURON { POINT_PROCESS BurstEnd RANGE dur, tau, e, gon, i, on, ends NONSPECIFIC_CURRENT i }
UNITS { (nA) = (nanoamp) (mV) = (millivolt) (uS) = (microsiemens) }
PARAMETER { dur = 12 (ms) tau = 4 (ms) e = 0 (mV) gon = 0.001 (uS) }
ASSIGNED { v (mV) i (nA) on ends }
STATE { g (uS) }
INITIAL { on = 0 ends = 0 g = 0 }
BREAKPOINT { SOLVE s METHOD cnexp i = g*(v - e) }
DERIVATIVE s { g' = (on*gon - g)/tau }
NET_RECEIVE(w) {
  if (flag == 0 && on == 0) {
    on = 1
    g = g + w
    net_send(dur, 1)
  }
  if (flag == 1) { on = 0 ends = ends + 1 net_event(t) }
}
