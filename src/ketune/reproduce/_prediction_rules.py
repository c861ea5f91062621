"""Values of neurons held against the rule of a target, whatever windows and levels the table gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ketune import evidence
from ketune.errors import InputError
from ketune.evidence import Target
from ketune.reproduce._resampling import expanded_interval

FloatArray = NDArray[np.float64]

LEVEL = 0.95
FEWEST = 3
"""Neurons below which no interval is given."""
_N_BOOT = 2000

Applicable = evidence.WithinWindows | evidence.RatioAgainstOne


@dataclass(frozen=True, eq=False)
class Measurement:
    """One figure of every neuron that was looked at.

    Attributes
    ----------
    values
        ``(n,)``, NaN where the neuron has none.
    neurons
        ``(n,)`` their places in the population.
    of_absolute
        The population's value is the median of absolute values: signs of neurons cancel, sizes do not.
    sure
        ``(n,)`` half width of the neuron's own 95 % interval over trials; where a rule asks whether any neuron lies
        in a window, this interval has to lie there. None where nothing of the kind is asked.
    window
        For figures beside the verdict, the quantity whose window they are shown with.
    """

    quantity: str
    values: FloatArray
    neurons: Sequence[int]
    unit: str = "1"
    note: str = ""
    of_absolute: bool = False
    sure: FloatArray | None = None
    window: str | None = None


@dataclass(frozen=True)
class PredictionRow:
    """One line of a prediction: the median over neurons against its window.

    Attributes
    ----------
    interval
        Of the median, over neurons (bootstrap); None with fewer than three.
    low, high, ours
        The window and whether this project chose it; for a ratio's side of 1, the side. None: none.
    met
        None for what is not judged, or cannot be.
    settled
        Whether the interval lies on one side of each end of the window, so that other neurons would hardly change what
        was met; None where nothing was judged by a window, or without an interval.
    n
        Neurons that have a value, of those in ``neurons``.
    values
        Of each of ``neurons``.
    """

    quantity: str
    value: float | None
    interval: tuple[float, float] | None
    low: float | None
    high: float | None
    unit: str
    ours: bool | None
    met: bool | None
    settled: bool | None
    n: int
    note: str
    neurons: tuple[int, ...]
    values: tuple[float | None, ...]


def applicable(target: Target, quantities: Sequence[str]) -> list[Applicable]:
    """The parts of a target's rule; none where it has no rule.

    Raises
    ------
    InputError
        The rule is of a kind that is not applied to values of neurons, or of another quantity than these.
    """
    if target.rule is None:
        return []
    rules = target.rule.rules if isinstance(target.rule, evidence.AllOf) else (target.rule,)
    found: list[Applicable] = []
    for rule in rules:
        if not isinstance(rule, evidence.WithinWindows | evidence.RatioAgainstOne):
            raise InputError(
                f"target '{target.id}': a rule of kind '{rule.kind}' cannot be judged from the predictions of a "
                "population; keep the kind of ours"
            )
        for quantity in rule.quantities:
            if quantity not in quantities:
                known = ", ".join(f"'{q}'" for q in quantities) or "no rule, for nothing is measured"
                raise InputError(f"target '{target.id}': rule: '{quantity}' is not predicted; use {known}")
        found.append(rule)
    return found


def judged(
    target: Target, measured: Mapping[str, Sequence[Measurement]], beside: Sequence[Measurement], *, seed: int
) -> tuple[bool | None, list[PredictionRow]]:
    """Verdict and rows.

    Parameters
    ----------
    measured
        By the quantity's name in the rule. All measurements of a quantity have to meet the rule; of "ratio not one",
        one is enough.
    beside
        Reported only.

    Returns
    -------
    Whether the rule is met, None where that cannot be said; rows.

    Raises
    ------
    InputError
        As :func:`applicable`.
    """
    if target.rule is None:
        return None, [_row(m, None, None, seed) for m in beside]
    rows, verdicts = [], []
    for rule in applicable(target, tuple(measured)):
        for quantity in rule.quantities:
            own = [_judged_row(m, target, rule, quantity, seed) for m in measured[quantity]]
            rows += own
            verdicts.append(_either(own) if rule.kind == "ratio not one" else together([r.met for r in own]))
    windows = {w.quantity: w for w in target.window}
    rows += [_row(m, windows.get(m.window or ""), None, seed) for m in beside]
    return together(verdicts), rows


def together(verdicts: Sequence[bool | None]) -> bool | None:
    """False where one is not met, None where one cannot be said, else True."""
    if any(v is False for v in verdicts):
        return False
    return None if any(v is None for v in verdicts) or not verdicts else True


def _either(rows: Sequence[PredictionRow]) -> bool | None:
    if any(r.met for r in rows):
        return True
    return None if all(r.met is None for r in rows) else False


def _judged_row(
    m: Measurement,
    target: Target,
    rule: Applicable,
    quantity: str,
    seed: int,
) -> PredictionRow:
    known = m.values[np.isfinite(m.values)]
    few = 2 * known.size < max(len(m.values), 1) or known.size == 0
    if isinstance(rule, evidence.WithinWindows):
        window = next(w for w in target.window if w.quantity == quantity)
        if rule.kind == "reached":
            return _row(m, window, _reached(m, window), seed)
        value = float(np.median(np.abs(known) if m.of_absolute else known)) if known.size else np.nan
        ends = (-value, value) if m.of_absolute else (value,)
        met = None if few else all(window.low <= x <= window.high for x in ends)
        return _row(m, window, met, seed)
    low, high = interval(known, level=rule.level, seed=seed) or (np.nan, np.nan)
    met = None
    if not few and np.isfinite(low):
        met = {
            "ratio below one": high < 1,
            "ratio above one": low > 1,
            "ratio not one": high < 1 or low > 1,
            "ratio includes one": low <= 1 <= high,
        }[rule.kind]
    sides: dict[str, tuple[float | None, float | None]] = {
        "ratio below one": (None, 1.0),
        "ratio above one": (1.0, None),
    }
    return _row(m, None, met, seed, level=rule.level, side=sides.get(rule.kind, (None, None)))


def _reached(m: Measurement, window: evidence.Window) -> bool | None:
    """Whether any neuron lies in the window, the interval of its own trials included."""
    known = np.isfinite(m.values)
    if not known.any():
        return None
    sure = np.zeros(len(m.values)) if m.sure is None else m.sure
    return bool(np.any(inside(m.values, sure, window)))


def inside(values: FloatArray, sure: FloatArray, window: evidence.Window) -> NDArray[np.bool_]:
    """Values whose interval lies in the window; False for NaN."""
    return (values - sure >= window.low) & (values + sure <= window.high)


def _row(
    m: Measurement,
    window: evidence.Window | None,
    met: bool | None,
    seed: int,
    *,
    level: float = LEVEL,
    side: tuple[float | None, float | None] = (None, None),
) -> PredictionRow:
    sized = np.abs(m.values) if m.of_absolute else m.values
    known = sized[np.isfinite(sized)]
    between = interval(known, level=level, seed=seed)
    ends = (
        [] if window is None else [-window.low, window.high] if m.of_absolute else [window.low, window.high]
    )
    settled = None
    if met is not None and window is not None and between is not None:
        settled = not any(between[0] <= end < between[1] or between[0] < end <= between[1] for end in ends)
    return PredictionRow(
        quantity=m.quantity,
        value=float(np.median(known)) if known.size else None,
        interval=between,
        low=window.low if window else side[0],
        high=window.high if window else side[1],
        unit=m.unit,
        ours=window.ours if window else None,
        met=met,
        settled=settled,
        n=int(known.size),
        note=m.note,
        neurons=tuple(int(i) for i in m.neurons),
        values=tuple(float(x) if np.isfinite(x) else None for x in m.values),
    )


def interval(values: FloatArray, *, level: float, seed: int) -> tuple[float, float] | None:
    """Interval of the median over neurons, by the bootstrap; None with fewer than :data:`FEWEST`."""
    n = len(values)
    if n < FEWEST:
        return None
    rng = np.random.default_rng([seed, n, 0xB007])
    return expanded_interval(np.median(values[rng.integers(0, n, (_N_BOOT, n))], axis=1), n, level)
