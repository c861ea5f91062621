"""T0: is a population's control tuning that of the species?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ketune.errors import InputError
from ketune.evidence import Target, Window, reported_effects
from ketune.population._population import Population
from ketune.population._units import mouse_units

_LEAST_COUNT = 0.5
_QUARTILES = (0.25, 0.5, 0.75)
_ALL = "all neurons, Gaussian fit to expected counts"


@dataclass(frozen=True)
class ControlRow:
    """One quantity of T0.

    Attributes
    ----------
    value
        Of the population.
    low, high
        Where it has to lie.
    given_by
        "ours" where this project chose the range, otherwise the id of its source.
    judged
        Whether it enters the verdict; otherwise it stands beside it.
    note
        On the range.
    selection
        Over which neurons, orientations and curve.
    n
        Number of neurons that it rests on.
    """

    quantity: str
    value: float
    unit: str
    low: float
    high: float
    given_by: str
    judged: bool
    note: str
    selection: str
    n: int

    @property
    def met(self) -> bool:
        """Whether the value lies in the range."""
        return self.low <= self.value <= self.high


@dataclass(frozen=True)
class ControlCheck:
    """Verdict on T0.

    Attributes
    ----------
    window_s
        In which spikes were counted.
    rows
        Those that are judged have to be met.
    """

    species: str
    window_s: float
    rows: tuple[ControlRow, ...]

    @property
    def met(self) -> bool:
        """Whether every row that is judged is met."""
        return all(row.met for row in self.rows if row.judged)


def check_control(population: Population, target: Target | None = None) -> ControlCheck:
    """Hold expected control responses against T0.

    Parameters
    ----------
    target
        The user's own T0; the shipped one if not given.

    Raises
    ------
    InputError
        A window of the target is of something that is not measured here.
    """
    if target is None:
        target = next(t for t in reported_effects().target if t.id == "T0")
    rows = [
        _row(population, window, judged=window in target.deciding)
        for window in target.window
        if window.species in ("any", population.species)
    ]
    return ControlCheck(
        population.species,
        population.window_s,
        (*rows, *(_quartiles(population) if population.species == "mouse" else ())),
    )


def _row(population: Population, window: Window, *, judged: bool) -> ControlRow:
    fits = population.statistics.fits
    least = f"{_LEAST_COUNT:g} expected spikes in {population.window_s:g} s"
    responding = f"all neurons, their gratings with at least {least}"
    measured = {
        "mean Gaussian SD": (_mean([f.sigma_deg for f in fits]), _ALL),
        "half width at half height": (_mean([f.hwhm_deg for f in fits]), _ALL),
        "full width at half height": (_mean([2 * f.hwhm_deg for f in fits]), _ALL),
        "selectivity index": (_mean([f.osi for f in fits]), _ALL),
        "control Fano factor": (_mean(evoked_fano(population)), responding),
    }
    if window.quantity not in measured:
        raise InputError(
            f"target 'T0': window of '{window.quantity}' is not measured in a population; "
            f"choose from {', '.join(measured)}"
        )
    value, selection = measured[window.quantity]
    return ControlRow(
        window.quantity,
        value,
        window.unit,
        window.low,
        window.high,
        window.given_by,
        judged,
        window.note,
        f"mean over {selection}",
        len(fits),
    )


def _quartiles(population: Population) -> list[ControlRow]:
    units, gosi = mouse_units(), unit_like(population)["gosi"]
    selection = (
        f"expected responses at {', '.join(f'{o:g}' for o in units.orientation_deg)} deg; neurons with a peak of at "
        f"least {units.least_peak_hz:g} Hz and gOSI of at least {units.least_gosi:g} there, as the units"
    )
    note = f"{units.n} units; where the quartiles of as many further units lie together in 95 % of cases"
    rows = []
    for p in _QUARTILES:
        value = float(np.quantile(gosi, p)) if gosi.size else float("nan")
        low, high = units.gosi_range(p, max(gosi.size, 1), together=len(_QUARTILES))
        rows.append(
            ControlRow(
                f"gOSI, quantile {p:g}", value, "1", low, high, "ours", True, note, selection, int(gosi.size)
            )
        )
    return rows


def unit_like(population: Population) -> dict[str, np.ndarray]:
    """What the recorded mouse units' table holds, for the neurons that its selection would have kept.

    Returns
    -------
    dict
        ``gosi``, ``peak_hz`` and ``spontaneous_hz``, ``(kept,)`` each, from expected counts.
    """
    units = mouse_units()
    angle = np.array(units.orientation_deg)
    at = [population.orientation_deg.index(o) for o in angle]
    rate = population.statistics.mean / population.window_s
    gratings, peak = rate[:, at], rate[:, at].max(axis=1)
    gosi = np.abs(gratings @ np.exp(2j * np.deg2rad(angle))) / gratings.sum(axis=1)
    kept = (peak >= units.least_peak_hz) & (gosi >= units.least_gosi)
    return {"gosi": gosi[kept], "peak_hz": peak[kept], "spontaneous_hz": rate[kept, -1]}


def evoked_fano(population: Population) -> np.ndarray:
    """Fano factor of each neuron: mean over the gratings with at least half a spike expected, ``(neurons,)``."""
    mean, fano = population.statistics.mean[:, :-1], population.statistics.fano[:, :-1]
    responds = mean >= _LEAST_COUNT
    return np.array([_mean(f[r]) for f, r in zip(fano, responds, strict=True)])


def _mean(x: list[float] | np.ndarray) -> float:
    return float(np.mean(x))
