"""Frozen marked event streams: one set of random numbers for every parameter value, condition and engine.

Every synapse carries a Poisson process in the plane of time and rate. An event at height ``x`` (its mark, in Hz) is
present where the synapse's rate exceeds ``x``. Parameters and drugs therefore change which events are present, never
where they lie: conditions share their random numbers, and a soft comparison makes the input differentiable.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import special

from ketune.afferents._drive import STREAMS, Drive, contrast_factor, rate_hz
from ketune.afferents._layout import SynapseLayout
from ketune.afferents._stimulus import Grating
from ketune.events import Events

PORTS = ("exc", "pv", "sst")
_PORT_OF_STREAM = {"driven": "exc", "background": "exc", "pv": "pv", "sst": "sst"}
# Heights are drawn in slabs with a generator each, so that raising a bound never redraws what lies below it.
_SLAB_EDGES_HZ = np.r_[0.0, 0.125 * 2.0 ** np.arange(20)]
# Events per step, lane and port. A rarer coincidence is moved to the next step, for all engines alike.
MAX_PER_STEP = {"exc": 4, "pv": 2, "sst": 2}
_SOFT_REACH = 6.0


@dataclass(frozen=True, eq=False)
class Candidates:
    """Events that are present, or nearly so, at a reference drive, with all that their rate depends on.

    All arrays have the shape ``(n_candidates,)`` and the order of :class:`ketune.events.Events`.

    Attributes
    ----------
    events
        Step, lane, compartment and port of each, with weight 1.
    stream
        Index into ``STREAMS``.
    height_hz
        Rate above which the event is present.
    scale_hz
        Width of the soft comparison; constant, so that finite differences see the same estimator.
    orientation_deg, gain_deviate, tree, deviate, time_course
        Arguments of :func:`rate_hz`; the time course includes the contrast.
    """

    events: Events
    stream: np.ndarray
    height_hz: np.ndarray
    scale_hz: np.ndarray
    orientation_deg: np.ndarray
    gain_deviate: np.ndarray
    tree: np.ndarray
    deviate: np.ndarray
    time_course: np.ndarray


def gain_deviates(seed: int, trials: np.ndarray) -> np.ndarray:
    """The standard normal of each trial's shared gain."""
    return np.array([np.random.default_rng([seed, int(t), 99]).standard_normal() for t in trials])


def stratified_gain(n_trials: int) -> np.ndarray:
    """Gain deviates at the quantiles of the normal distribution: a few trials then carry its whole spread."""
    return special.ndtri((np.arange(n_trials) + 0.5) / n_trials)


def _proposals(
    layout: SynapseLayout, stream: int, *, bound_hz: float, duration_ms: float, key: list[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Synapse, time (ms) and height (Hz) of every event below ``bound_hz`` in one trial of one stream."""
    name = STREAMS[stream]
    n = len(layout.driven) if name == "driven" else len(layout.compartment[_PORT_OF_STREAM[name]])
    synapse, time, height = [], [], []
    for slab, (low, high) in enumerate(pairwise(_SLAB_EDGES_HZ)):
        if low >= bound_hz:
            break
        rng = np.random.default_rng([*key, stream, slab])
        count = rng.poisson(n * (high - low) * duration_ms * 1e-3)
        s, t, x = (
            rng.integers(n, size=count),
            rng.uniform(0, duration_ms, count),
            rng.uniform(low, high, count),
        )
        below = x < bound_hz
        synapse.append(s[below])
        time.append(t[below])
        height.append(x[below])
    if not synapse:
        return np.empty(0, int), np.empty(0), np.empty(0)
    return np.concatenate(synapse), np.concatenate(time), np.concatenate(height)


def candidates(
    layout: SynapseLayout,
    grating: Grating,
    drive: Drive,
    *,
    trials: np.ndarray | range,
    seed: int,
    dt_ms: float,
    softness: float = 0.0,
    gain: np.ndarray | None = None,
) -> Candidates:
    """Events at a drive, for every orientation and trial. Lane = orientation index * len(trials) + trial index.

    Parameters
    ----------
    drive
        Reference at which presence is judged.
    trials
        Trial numbers; a trial's random numbers depend on ``seed`` and its number alone.
    softness
        Relative width of the soft comparison; 0 keeps exactly the events that are present.
    gain
        Gain deviate of each trial; drawn from ``seed`` where not given.
    """
    trials = np.asarray(trials)
    orientation = np.asarray(grating.orientation_deg, float)
    n_trials, n_steps = len(trials), grating.n_steps(dt_ms)
    shown = np.isfinite(orientation)
    evoked = np.where(shown, contrast_factor(drive, grating.contrasts), 0.0)
    deviates = gain_deviates(seed, trials) if gain is None else np.asarray(gain, float)
    parts: list[dict[str, np.ndarray]] = []
    for index, (trial, own_gain) in enumerate(zip(trials, deviates, strict=True)):
        for stream, name in enumerate(STREAMS):
            course = 1.0 + grating.modulation if name == "driven" else 1.0
            peak = rate_hz(
                drive,
                stream,
                gain_deviate=own_gain,
                orientation_deg=drive.preferred_basal_deg,
                tree=0,
                deviate=0.0,
                time_course=course,
            )
            reach = 1.0 + _SOFT_REACH * softness
            synapse, time, height = _proposals(
                layout,
                stream,
                bound_hz=float(peak) * reach,
                duration_ms=grating.duration_ms,
                key=[seed, int(trial)],
            )
            driven = name == "driven"
            tree = layout.tree[synapse] if driven else np.zeros(len(synapse), np.int8)
            deviate = layout.deviate[synapse] if driven else np.zeros(len(synapse))
            course_all = grating.time_course(
                time, layout.phase[synapse] if driven else np.zeros(len(synapse))
            )
            if not driven:
                course_all = (course_all > 0).astype(float)
            columns = np.flatnonzero(shown) if driven else np.arange(len(orientation))
            course_all = course_all * evoked[columns][:, None]
            rate = np.broadcast_to(
                rate_hz(
                    drive,
                    stream,
                    gain_deviate=own_gain,
                    orientation_deg=orientation[columns][:, None],
                    tree=tree,
                    deviate=deviate,
                    time_course=course_all,
                ),
                (len(columns), len(synapse)),
            )
            row, event = np.nonzero(height < rate * reach)
            port = layout.compartment[_PORT_OF_STREAM[name]]
            where = port[layout.driven[synapse]] if driven else port[synapse]
            number = layout.driven[synapse] if driven else synapse
            parts.append(
                ({"connection": number[event]} if layout.names_connections else {})
                | {
                    "lane": columns[row] * n_trials + index,
                    "step": np.minimum((time[event] / dt_ms).astype(np.int64), n_steps - 1),
                    "compartment": where[event],
                    "port": np.full(len(row), PORTS.index(_PORT_OF_STREAM[name])),
                    "stream": np.full(len(row), stream, np.int8),
                    "height_hz": height[event],
                    "scale_hz": softness * rate[row, event],
                    "orientation_deg": orientation[columns][row],
                    "gain_deviate": np.full(len(row), own_gain),
                    "tree": tree[event],
                    "deviate": deviate[event],
                    "time_course": course_all[row, event],
                }
            )
    joined = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
    n_lanes = len(orientation) * n_trials
    # One key instead of three: sorting millions of events is most of the work here.
    order = np.lexsort((joined["height_hz"], _key(joined["step"], joined["lane"], joined["port"], n_lanes)))
    step, lane, port = (joined[k][order] for k in ("step", "lane", "port"))
    joined["step"], inside = _limit_per_step(step, lane, port, n_lanes, n_steps)
    again = np.argsort(_key(joined["step"], lane, port, n_lanes)[inside], kind="stable")
    joined["step"] = joined["step"][inside][again]
    order = order[inside][again]
    joined = {k: x if k == "step" else x[order] for k, x in joined.items()}
    events = Events(
        n_lanes=n_lanes,
        n_steps=n_steps,
        dt_ms=dt_ms,
        port_names=PORTS,
        step=joined.pop("step").astype(np.int32),
        lane=joined.pop("lane").astype(np.int32),
        compartment=joined.pop("compartment").astype(np.int32),
        port=joined.pop("port").astype(np.int8),
        weight=np.ones(len(order)),
        connection=joined.pop("connection").astype(np.int32) if "connection" in joined else None,
    )
    return Candidates(events=events, **joined)


def hard_events(
    layout: SynapseLayout,
    grating: Grating,
    drive: Drive,
    *,
    trials: np.ndarray | range,
    seed: int,
    dt_ms: float,
    gain: np.ndarray | None = None,
) -> Events:
    """The events that are present at a drive: what evaluation and NEURON use."""
    return candidates(layout, grating, drive, trials=trials, seed=seed, dt_ms=dt_ms, gain=gain).events


def _key(step: np.ndarray, lane: np.ndarray, port: np.ndarray, n_lanes: int) -> np.ndarray:
    """A number that sorts by step, then lane, then port."""
    return (step * n_lanes + lane) * len(PORTS) + port


def _limit_per_step(
    step: np.ndarray, lane: np.ndarray, port: np.ndarray, n_lanes: int, n_steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Move events beyond :data:`MAX_PER_STEP` to the following step; those pushed past the end are left out.

    Arrays are sorted by (step, lane, port) when they come in.
    """
    limit = np.array([MAX_PER_STEP[p] for p in PORTS])[port]
    step = step.copy()
    while True:
        key = _key(step, lane, port, n_lanes)
        order = np.argsort(key, kind="stable")
        first = np.r_[True, np.diff(key[order]) != 0] if len(order) else np.empty(0, bool)
        start = np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order)) - start
        crowded = (rank >= limit) & (step < n_steps)
        if not crowded.any():
            return step, step < n_steps
        step[crowded] += 1
