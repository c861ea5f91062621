"""Events at synapses that do not share their states: NET_RECEIVE for each connection, and the events it sends itself.

NEURON delivers an event where it falls: those up to half a step after the beginning of a step take effect before its
currents are computed, in order of time; among equal times those that come from outside come first.
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Array

from ketune._jax import jax, jnp
from ketune.engines.connections import QUEUE
from ketune.mechanisms import Mechanism

Values = dict[str, Array]


class Receiver:
    """The events of one placement.

    Parameters
    ----------
    mechanism
        Its ``merging`` is "separate".
    """

    def __init__(self, mechanism: Mechanism) -> None:
        assert mechanism.net_receive is not None
        self.mechanism = mechanism
        self.net_receive = mechanism.net_receive
        self.sends_events = bool(mechanism.moves or mechanism.n_initial_sends)

    def queue(self, sends: dict[str, Any], shape: tuple[int, int], dtype: Any) -> Values:
        """Room for self-events: time (inf where free), flag, and the connection they belong to (-1 for INITIAL)."""
        size = QUEUE if self.sends_events else 1
        queue = {
            "time": jnp.full((size, *shape), jnp.inf, dtype),
            "flag": jnp.zeros((size, *shape), dtype),
            "connection": jnp.full((size, *shape), -1, jnp.int32),
        }
        for k in range(self.mechanism.n_initial_sends):
            on, time, flag = (sends[f"send_{k}_{key}"] for key in ("on", "time", "flag"))
            sent = jnp.broadcast_to(jnp.asarray(on) != 0, shape)
            queue = _push(queue, sent, jnp.asarray(time, dtype), jnp.asarray(flag, dtype), -1)
        return queue

    def connections(self, v: Array, s: Values, p: Values, weight: Array) -> Values:
        """The arguments of every connection at the start, ``(rows, slots, lanes)`` each."""
        first, *others = self.mechanism.arguments
        c = {first: weight} | {name: jnp.zeros_like(weight) for name in others}
        if self.mechanism.init_connection is not None:
            spread = {name: x[:, None] if jnp.ndim(x) == 2 else x for name, x in (s | p).items()}
            spread["flag"] = jnp.zeros((), weight.dtype)
            own = {name: spread[name] for name in s}
            c = c | self.mechanism.init_connection(v[:, None], own, c, spread)
        return {name: jnp.broadcast_to(jnp.asarray(x, weight.dtype), weight.shape) for name, x in c.items()}

    def deliver(
        self,
        v: Array,
        s: Values,
        c: Values,
        queue: Values,
        p: Values,
        counts: Array | None,
        t: Array,
        dt_ms: float,
    ) -> tuple[Values, Values, Values]:
        """States, connections and queue after the events of the step that begins at ``t``."""
        if self.sends_events:
            s, c, queue = self._deliver_own(v, s, c, queue, p, before=t, inclusive=False)
        if counts is not None:
            for repeat in range(counts.shape[0]):
                for slot in range(counts.shape[2]):
                    due = counts[repeat, :, slot]
                    flag, which = jnp.zeros((), v.dtype), jnp.full(due.shape, slot)
                    s, c, queue = self._apply(v, s, c, queue, p, due, which, t, flag)
        if self.sends_events:
            s, c, queue = self._deliver_own(v, s, c, queue, p, before=t + 0.5 * dt_ms, inclusive=True)
            full = jnp.any(jnp.isnan(queue["time"]), axis=0)
            s = {name: jnp.where(full, jnp.nan, x) for name, x in s.items()}
        return s, c, queue

    def _deliver_own(
        self, v: Array, s: Values, c: Values, queue: Values, p: Values, *, before: Array, inclusive: bool
    ) -> tuple[Values, Values, Values]:
        """Due self-events, the earliest first."""

        def due_now(queue: Values) -> Array:
            earliest = jnp.min(queue["time"], axis=0)  # nan where a queue was full: never due
            return earliest <= before if inclusive else earliest < before

        def deliver(carry: tuple[Values, Values, Values]) -> tuple[Values, Values, Values]:
            s, c, queue = carry
            due = due_now(queue)
            first = jnp.argmin(queue["time"], axis=0)[None]
            time, flag, connection = (
                jnp.take_along_axis(queue[key], first, 0)[0] for key in ("time", "flag", "connection")
            )
            taken = due & (jnp.arange(queue["time"].shape[0])[:, None, None] == first)
            queue = queue | {"time": jnp.where(taken, jnp.inf, queue["time"])}
            return self._apply(v, s, c, queue, p, due, connection, jnp.where(due, time, 0.0), flag)

        return jax.lax.while_loop(lambda carry: jnp.any(due_now(carry[2])), deliver, (s, c, queue))

    def _apply(
        self,
        v: Array,
        s: Values,
        c: Values,
        queue: Values,
        p: Values,
        due: Array,
        slot: Array,
        t: Array,
        flag: Array,
    ) -> tuple[Values, Values, Values]:
        """NET_RECEIVE where ``due``, for the connection ``slot`` of each synapse (-1: none, its arguments are 0)."""
        chosen = {name: jnp.arange(x.shape[1])[:, None] == slot[:, None] for name, x in c.items()}
        own = {name: jnp.sum(jnp.where(chosen[name], x, 0.0), axis=1) for name, x in c.items()}
        changed, arguments, sends = self.net_receive(v, s, own, p | {"t": t, "flag": flag})
        s = s | {name: jnp.where(due, x, s[name]) for name, x in changed.items() if name in s}
        c = {
            name: jnp.where(
                chosen[name] & due[:, None], jnp.broadcast_to(arguments[name], due.shape)[:, None], x
            )
            for name, x in c.items()
        }
        for moves, (on, time, code) in zip(self.mechanism.moves, sends, strict=True):
            sent = due & jnp.broadcast_to(jnp.asarray(on) != 0, due.shape)
            queue = _move(queue, sent, time) if moves else _push(queue, sent, time, code, slot)
        return s, c, queue


def _push(queue: Values, sent: Array, time: Any, flag: Any, connection: Array | int) -> Values:
    """One more self-event where ``sent``; a full queue gets NaN, which the synapse's states then show."""
    free = jnp.isinf(queue["time"])
    first = jnp.argmax(free, axis=0)[None]
    place = sent & (jnp.arange(free.shape[0])[:, None, None] == first)
    full = sent & ~jnp.any(free, axis=0)
    dtype = queue["time"].dtype
    when = jnp.where(full, jnp.nan, jnp.broadcast_to(jnp.asarray(time, dtype), sent.shape))
    return {
        "time": jnp.where(place, when, queue["time"]),
        "flag": jnp.where(place, jnp.asarray(flag, dtype), queue["flag"]),
        "connection": jnp.where(place, jnp.asarray(connection, jnp.int32), queue["connection"]),
    }


def _move(queue: Values, moved: Array, time: Any) -> Values:
    """The self-event of flag 1 that is under way at another time, where ``moved``."""
    waiting = jnp.isfinite(queue["time"]) & (queue["flag"] == 1) & moved
    when = jnp.broadcast_to(jnp.asarray(time, queue["time"].dtype), moved.shape)
    return queue | {"time": jnp.where(waiting, when, queue["time"])}
