"""Assay data that contradict themselves are refused: block that falls with concentration, IC50s that cannot agree."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from ketune.errors import InputError
from ketune.pharmacology._assay_file import AssayRow
from ketune.pharmacology._assay_grid import NOISE_MEDIAN, Draws, posterior
from ketune.pharmacology._assay_law import Law

K = TypeVar("K", bound=Hashable)

APART = 4.0
"""Contradictory IC50s: the nearest ends of their 95 % intervals are more than this factor apart."""
FALL = 0.25
"""Contradictory block: falls with concentration by more than this, and by more than ``FALL_SE`` standard errors."""
FALL_SE = 5.0


def refuse_contradictions(source: str, law: Law, rows: Sequence[AssayRow], drug: str) -> None:
    """Raise where rows of one drug on one target cannot all be right.

    Raises:
        InputError: no concentration above zero, block that falls with concentration beyond noise, or conditions (Mg,
            potential) or preparations whose IC50s are too far apart.
    """
    if all(row.concentration_uM == 0 for row in rows):
        raise InputError(
            f"{source}: rows {_lines(rows)}: {drug} on {law.target} at concentration 0 only; add rows with drug"
        )
    experiments = _grouped(rows, lambda row: (row.preparation, law.condition(row)))
    _refuse_falls(source, law.target, drug, experiments.values())
    conditions = _grouped(rows, law.condition)
    for members in conditions.values():
        preparations = _grouped(members, lambda row: row.preparation)
        named = {f"preparation '{name}'": group for name, group in preparations.items()}
        _refuse_apart(source, law, named, lambda draws: draws.in_assay)
    named = {str(condition): group for condition, group in conditions.items()}
    _refuse_apart(source, law, named, lambda draws: draws.ln_potency)


def _refuse_falls(source: str, target: str, drug: str, experiments: Iterable[Sequence[AssayRow]]) -> None:
    groups = [_grouped(rows, lambda row: row.concentration_uM) for rows in experiments]
    noise = _noise([[row.block for row in level] for levels in groups for level in levels.values()])
    for levels in groups:
        for low, high in itertools.combinations(sorted(levels), 2):
            before, after = (np.array([row.block for row in levels[c]]) for c in (low, high))
            fall = float(before.mean() - after.mean())
            error = noise * math.sqrt(1.0 / before.size + 1.0 / after.size)
            if fall > max(FALL, FALL_SE * error):
                raise InputError(
                    f"{source}: rows {_lines([*levels[low], *levels[high]])}: {drug} blocks {target} by "
                    f"{100 * before.mean():.0f} % at {low:g} uM but by {100 * after.mean():.0f} % at {high:g} uM; "
                    f"block cannot fall with concentration ({100 * noise:.0f} % noise); correct or remove these rows"
                )


def _noise(levels: Sequence[Sequence[float]]) -> float:
    """SD of a measurement from repeats, at least what is typical: few repeats may agree by chance."""
    freedom = sum(len(level) - 1 for level in levels)
    squares = sum(float(np.var(level)) * len(level) for level in levels)
    return max(NOISE_MEDIAN, math.sqrt(squares / freedom) if freedom >= 2 else 0.0)


def _refuse_apart(
    source: str,
    law: Law,
    groups: dict[str, list[AssayRow]],
    value: Callable[[Draws], np.ndarray],
) -> None:
    tested = {
        name: rows
        for name, rows in groups.items()
        if len(groups) > 1 and any(row.concentration_uM > 0 for row in rows)
    }
    intervals = {}
    for name, rows in tested.items():
        draws = posterior(law, rows, preparations=False, seed=0, n_draws=1024, n_nuisance=32)
        intervals[name] = np.quantile(value(draws), [0.025, 0.5, 0.975])
    for a, b in itertools.combinations(intervals, 2):
        low, high = sorted((a, b), key=lambda name: float(intervals[name][1]))
        gap = math.exp(intervals[high][0] - intervals[low][2])
        if gap > APART:
            said = [
                f"{name} (rows {_lines(tested[name])}) {mid:.3g} ({at_least:.3g} to {at_most:.3g})"
                for name in (low, high)
                for at_least, mid, at_most in [np.exp(intervals[name])]
            ]
            what = "affinity_scale" if law.competition and law.target == "nmda" else "IC50 in uM"
            raise InputError(
                f"{source}: contradictory {law.target} data: {what} {said[0]} against {said[1]}, {gap:.2g}-fold "
                "apart beyond their 95 % intervals; check units, Mg and potential, or fit them as separate files"
            )


def _grouped(rows: Iterable[AssayRow], key: Callable[[AssayRow], K]) -> dict[K, list[AssayRow]]:
    out: dict[K, list[AssayRow]] = {}
    for row in rows:
        out.setdefault(key(row), []).append(row)
    return out


def _lines(rows: Sequence[AssayRow]) -> str:
    numbers = sorted(row.line for row in rows)
    shown = ", ".join(str(n) for n in numbers[:6])
    return shown + (f" and {len(numbers) - 6} more" if len(numbers) > 6 else "")
