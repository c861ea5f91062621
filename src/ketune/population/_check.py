"""T0: is a population's control tuning that of the species?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ketune.population._population import Population
from ketune.population._units import mouse_units

_LEAST_COUNT = 0.5
_QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class ControlRow:
    """One quantity of T0.

    Attributes
    ----------
    value
        Of the population.
    low, high
        Where it has to lie.
    source
        Of the range.
    ours
        Whether the range was chosen by this project and is in no publication.
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
    source: str
    ours: bool
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
        All have to be met.
    """

    species: str
    window_s: float
    rows: tuple[ControlRow, ...]

    @property
    def met(self) -> bool:
        """Whether every row is met."""
        return all(row.met for row in self.rows)


def check_control(population: Population) -> ControlCheck:
    """Hold expected control responses against T0."""
    rows = _cat(population) if population.species == "cat" else _mouse(population)
    return ControlCheck(population.species, population.window_s, (*rows, _fano(population)))


def _cat(population: Population) -> list[ControlRow]:
    fits = population.statistics.fits
    shared = (
        "Nauhaus et al. 2008: 14.6 deg (n = 46); the tolerance is ours",
        False,
        "all neurons, Gaussian fit",
        len(fits),
    )
    return [
        ControlRow("mean sigma", _mean([f.sigma_deg for f in fits]), "deg", 11.6, 17.6, *shared),
        ControlRow(
            "mean half width at half height", _mean([f.hwhm_deg for f in fits]), "deg", 14.0, 21.0, *shared
        ),
    ]


def _mouse(population: Population) -> list[ControlRow]:
    fits, units = population.statistics.fits, mouse_units()
    whole = (
        "range of T0, about single studies and a published model",
        True,
        "all neurons, Gaussian fit",
        len(fits),
    )
    rows = [
        ControlRow("mean selectivity index", _mean([f.osi for f in fits]), "1", 0.5, 0.9, *whole),
        ControlRow(
            "mean full width at half height", _mean([2 * f.hwhm_deg for f in fits]), "deg", 35.0, 70.0, *whole
        ),
    ]
    gosi = unit_like(population)["gosi"]
    selection = (
        f"expected responses at {', '.join(f'{o:g}' for o in units.orientation_deg)} deg; neurons with a peak of at "
        f"least {units.least_peak_hz:g} Hz and gOSI of at least {units.least_gosi:g} there, as the units"
    )
    for p in _QUARTILES:
        value = float(np.quantile(gosi, p)) if gosi.size else float("nan")
        low, high = units.gosi_range(p, max(gosi.size, 1), together=len(_QUARTILES))
        rows.append(
            ControlRow(
                f"gOSI, quantile {p:g}",
                value,
                "1",
                low,
                high,
                f"{units.n} mouse units: where the quartiles of as many further units lie together in 95 % of cases",
                True,
                selection,
                int(gosi.size),
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


def _fano(population: Population) -> ControlRow:
    return ControlRow(
        "mean Fano factor",
        _mean(evoked_fano(population)),
        "1",
        0.8,
        2.0,
        "range of T0, about Tolhurst et al. 1983",
        True,
        f"all neurons, their gratings with at least {_LEAST_COUNT:g} expected spikes in {population.window_s:g} s",
        len(population.neurons),
    )


def _mean(x: list[float] | np.ndarray) -> float:
    return float(np.mean(x))
