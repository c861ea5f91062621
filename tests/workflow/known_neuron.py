"""A neuron whose answer to a drug is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from ketune import tuning
from ketune.cell import Cell
from ketune.pharmacology import DrugEffect
from ketune.progress import Progress
from ketune.workflow._action_space import ActionReader
from ketune.workflow._simulation import Condition, FittedNeuron

THETA = (0.0, 22.5, 45.0, 67.5, 90.0, 112.5, 135.0, 157.5)
VALUES = {
    "peak_rate_hz": 4.0, "background_rate_hz": 0.5, "preferred_basal_deg": 60.0, "preferred_apical_deg": 60.0,
    "spread_basal_deg": 15.0, "spread_apical_deg": 15.0, "ampa_nS": 0.8, "nmda_nS": 0.8, "pv_nS": 0.4, "sst_nS": 0.4,
    "gain_sd": 0.2,
}  # fmt: skip


@dataclass
class Counts:
    counts: np.ndarray


class KnownNeuron(FittedNeuron):
    """A neuron that answers by formula: block of NMDA receptors lowers its curve, and the shift of HCN1 turns it."""

    def __init__(self, cell: Cell) -> None:
        super().__init__(
            cell,
            VALUES,
            placement_seed=2,
            orientation_deg=THETA,
            window_ms=1000.0,
            engine=None,  # type: ignore[arg-type]
        )
        self.fano = 1.5
        self.runs: list[int] = []
        self._reader = ActionReader(self)

    def expected(self, effect: DrugEffect | None) -> np.ndarray:
        block = 0.0 if effect is None else self._reader.nmda_block(effect)
        turned = 0.0 if effect is None else float(effect.hcn_shift_mV.mean())
        shape = tuning.shape("gaussian", np.array(THETA) - 60.0 - turned, np.full(8, 25.0))
        return np.r_[(1.0 - 0.6 * block) * (5.0 + 20.0 * shape), 3.0 * (1.0 - 0.8 * block)]

    def counts(
        self,
        condition: Condition,
        *,
        trials: int,
        seed: int,
        progress: Progress,
        text: str,
        first_trial: int = 0,
    ) -> Any:
        numbers = range(first_trial, first_trial + trials)
        self.runs += numbers
        mean = self.expected(condition.effect)[:, None]
        common = np.column_stack([np.random.default_rng([seed, i]).standard_normal(1) for i in numbers])
        own = np.column_stack([np.random.default_rng([seed, i, 1]).standard_normal(9) for i in numbers])
        deviate = np.sqrt(0.9) * common + np.sqrt(0.1) * own
        size = mean / (self.fano - 1.0)
        return Counts(stats.nbinom.ppf(stats.norm.cdf(deviate), size, 1.0 / self.fano).astype(int))
