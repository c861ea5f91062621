"""Calibration of the escape rate on spikes of the full cell, over the whole range that a fit may visit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from ketune.afferents import Drive, Grating, SynapseLayout
from ketune.cell import Cell
from ketune.engines import create
from ketune.events import Events
from ketune.fitting._ensemble import pooled_events, pooled_overrides
from ketune.fitting._readout import Hazard, silent_cell

# Narrower transfer functions are steps for every purpose, with gradients that vanish and jump.
_NARROWEST_mV = 0.5
_WIDEST_mV = 10.0
_SAMPLE_MS = 1.0


@dataclass(frozen=True, eq=False)
class Calibration:
    """The escape rate, and how well it predicts spike counts it was calibrated on.

    Attributes
    ----------
    correlation
        Between predicted and actual counts of single trials.
    dispersion
        Residual variance over mean of trials with at least one expected spike.
    n_trials
        Trials of all parameter sets and orientations together.
    """

    hazard: Hazard
    correlation: float
    dispersion: float
    n_trials: int


def calibrate(
    cell: Cell,
    layout: SynapseLayout,
    drive: Drive,
    parameter_sets: list[dict[str, float]],
    *,
    orientation_deg: tuple[float, ...],
    seed: int,
    spiking_dt_ms: float,
    silent_dt_ms: float,
    trials: int = 2,
    window_ms: float = 500.0,
    warm_up_ms: float = 150.0,
    engine: str = "auto",
    on_advance: Callable[[float], None] | None = None,
) -> Calibration:
    """Run spiking and silent cell on the same events of many parameter sets and fit the escape rate to the counts.

    The escape rate's four parameters maximise the Poisson likelihood of the trials' spike counts.
    """
    grating = Grating(orientation_deg=orientation_deg, window_ms=window_ms, warm_up_ms=warm_up_ms)

    layouts = [layout] * len(parameter_sets)
    overrides = pooled_overrides(parameter_sets, len(orientation_deg) * trials)

    def events(dt_ms: float) -> Events:
        return pooled_events(layouts, grating, drive, parameter_sets, trials=trials, seed=seed, dt_ms=dt_ms)

    spiking = create(cell, engine, dt_ms=spiking_dt_ms, dtype=np.float32).run(
        events(spiking_dt_ms), overrides=overrides, keep_voltage=False, on_advance=on_advance
    )
    silent = create(silent_cell(cell), engine, dt_ms=silent_dt_ms, dtype=np.float32).run(
        events(silent_dt_ms),
        overrides=overrides,
        stride=round(_SAMPLE_MS / silent_dt_ms),
        on_advance=on_advance,
    )
    counts = spiking.counts(from_ms=warm_up_ms)
    voltage = silent.v_mV[silent.time_ms > warm_up_ms, 0]
    return fit_hazard(voltage, counts, window_ms)


def fit_hazard(voltage_mV: np.ndarray, counts: np.ndarray, window_ms: float) -> Calibration:
    """Maximum-likelihood escape rate for silent voltages ``(samples, trials)`` and counts ``(trials,)``."""

    def unpack(x: np.ndarray) -> Hazard:
        width = _NARROWEST_mV + (_WIDEST_mV - _NARROWEST_mV) / (1 + np.exp(-x[1]))
        return Hazard(float(x[0]), float(width), float(np.exp(x[2])), float(np.exp(x[3])))

    def predicted(x: np.ndarray) -> np.ndarray:
        rate = unpack(x).rate_hz(voltage_mV, softplus=lambda z: np.logaddexp(0.0, z))
        return rate.mean(axis=0) * window_ms * 1e-3 + 1e-3

    def cost(x: np.ndarray) -> float:
        mean = predicted(x)
        return float(np.sum(mean - counts * np.log(mean)))

    start = np.array([-58.0, -1.5, np.log(6.0), np.log(2.0)])
    best = optimize.minimize(
        cost, start, method="Nelder-Mead", options={"maxiter": 2000, "xatol": 1e-3, "fatol": 1e-3}
    )
    mean = predicted(best.x)
    fired = mean >= 1.0
    dispersion = np.sum((counts - mean)[fired] ** 2) / max(np.sum(mean[fired]), 1e-9)
    correlation = np.corrcoef(mean, counts)[0, 1] if counts.any() else np.nan
    return Calibration(unpack(best.x), float(correlation), float(dispersion), len(counts))
