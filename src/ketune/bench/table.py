"""The results as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_COLUMNS = (
    f"{'':14}{'sim s per s':>12}{'x NEURON':>10}{'gradient':>10}{'forwards':>10}{'lanes':>7}{'threads':>9}"
    f"{'set-up':>9}{'compile':>9}{'memory':>10}{'max |dV|':>12}"
)


def describe(result: Mapping[str, Any]) -> Iterator[str]:
    """Table of each workload, scaling, and where the figure is."""
    for name, entries in result["workloads"].items():
        yield from _workload(name, entries, result)
        yield ""
    yield from _scaling(result["scaling"])
    for who, memory in result["gradient_memory"].items():
        yield (
            f"{who}: a gradient over {memory['window_ms']:g} ms of {memory['lanes']} lanes adds {memory['MiB']:.0f} MiB"
        )
    if result["quick"]:
        yield "quick: few lanes, short windows, compiled code from the cache; leave out --quick for numbers to quote"
    if "directory" in result:
        yield f"table and figure: {result['directory']}"


def struck_out(text: str) -> str:
    """As Markdown and most terminals' users read it."""
    return f"~~{text}~~"


def _workload(name: str, entries: Mapping[str, Any], result: Mapping[str, Any]) -> Iterator[str]:
    said = result["simulated"][name]
    yield f"{name}: {said['what']}"
    yield (
        f"{said['compartments']} compartments of {said['morphology']} (sha256 {said['compartments_sha256'][:8]}), "
        f"dt {said['dt_ms']:g} ms, {said['window_ms']:g} ms, {said['events_per_lane_s']:.0f} events/s"
    )
    yield _COLUMNS
    for who, entry in entries.items():
        yield _row(who, entry, result["gradient_in_forwards"][name].get(who))
    yield from _comparisons(entries)


def _row(who: str, entry: Mapping[str, Any], forwards: float | None) -> str:
    if "not_available" in entry:
        return f"{who:14}not available: {entry['not_available']}"
    if not entry["accurate"]:
        return f"{struck_out(who):14}off the contract, not timed{_dv(entry['max_dv_mV']):>75}"
    speed, gradient = entry["sim_s_per_wall_s"], entry["gradient_sim_s_per_wall_s"]
    numbers = (speed, 12), (entry["times_neuron"], 10), (gradient, 10), (forwards, 10)
    return (
        f"{who:14}{''.join(f'{_number(x):>{width}}' for x, width in numbers)}"
        f"{entry['lanes']:>7}{entry['threads']:>9}{entry['setup_s']:>7.2f} s{entry['compile_s']:>7.1f} s"
        f"{entry['peak_memory_MiB']:>6.0f} MiB{_dv(entry['max_dv_mV']):>12}"
    )


def _comparisons(entries: Mapping[str, Any]) -> Iterator[str]:
    """With what each was compared, and by which bound."""
    for who, entry in entries.items():
        if entry["accurate"] is not None and who != "neuron":
            yield f"  {who}: {entry['compared']}"


def _dv(dv_mV: float) -> str:
    return f"{dv_mV:.1e} mV"


def _number(value: float | None) -> str:
    """Three digits that count, or a dash."""
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _scaling(scaling: Mapping[str, Any]) -> Iterator[str]:
    yield "W2, simulated seconds per second against"
    for axis, curves in scaling.items():
        for who, curve in curves.items():
            pairs = zip(curve["at"], curve["sim_s_per_wall_s"], strict=True)
            yield f"  {axis:14}{who:12}" + "  ".join(f"{at:g}: {_number(speed)}" for at, speed in pairs)
