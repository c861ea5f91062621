"""Experiments on a population: control and drug with independent trials, predicted or simulated with spikes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ketune.afferents import Drive, Grating, SynapseLayout
from ketune.engines.jax_engine import JaxEngine
from ketune.fitting import drive_at, simulate_counts, synapse_overrides
from ketune.inference import Laws, replicated_counts
from ketune.population import VirtualNeuron
from ketune.reproduce._actions import completed, on_the_cell
from ketune.reproduce._predicted import PopulationMoments
from ketune.surface import WARM_UP_MS, CellActions, action_overrides

Counts = NDArray[np.int64]


def drawn_counts(moments: PopulationMoments, trials: int, rng: np.random.Generator) -> Counts:
    """Counts ``(n, k, trials)`` from predicted laws, each trial with a gain of its own."""
    laws = Laws(np.asarray(moments.at_gain)[:, None], np.asarray(moments.dispersion)[:, None])
    return replicated_counts(laws, trials, rng)[:, 0]


def spiking_counts(
    engine: JaxEngine,
    neuron: VirtualNeuron,
    layout: SynapseLayout,
    orientation_deg: Sequence[float],
    window_s: float,
    actions: Mapping[str, Any],
    *,
    turn: float,
    trials: int,
    seed: int,
    on_advance: Callable[[float], None] | None = None,
) -> Counts:
    """Counts ``(k, trials)`` of one neuron from the spiking cell; no actions for the control.

    Every stimulus is shown in trials of its own.

    Parameters
    ----------
    turn
        This neuron's standard normal of ``retuning_deg``.
    """
    a = completed(actions)
    values = {**neuron.values}
    values["preferred_apical_deg"] = values["preferred_apical_deg"] + float(a["retuning_deg"]) * turn
    values["peak_rate_hz"] = values["peak_rate_hz"] * float(a["recurrent_drive"])
    values["gain_sd"] = values["gain_sd"] * float(a["gain_noise"])
    values["nmda_nS"] = values["nmda_nS"] * float(a["nmda_basal"])
    drive = replace(drive_at(values, Drive()), pv_drive=float(a["pv"]), sst_drive=float(a["sst"]))
    cell_actions = CellActions(**{name: float(x) for name, x in on_the_cell(a).items()})
    strengths = {key: np.asarray(x)[None, None] for key, x in synapse_overrides(values).items()}
    overrides = {
        key: np.asarray(x)[:, 0]
        for key, x in action_overrides(engine.twin.cell, [cell_actions], strengths).items()
    }
    return simulate_counts(
        engine,
        layout,
        Grating(tuple(orientation_deg), window_ms=window_s * 1e3, warm_up_ms=WARM_UP_MS),
        drive,
        overrides,
        n_trials=trials,
        seed=seed,
        own_trials=True,
        on_advance=on_advance,
    ).counts
