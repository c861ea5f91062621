"""Small joint models on a made-up surface; few shapes, because each is compiled anew."""

import numpy as np
import pytest

from ketune.fitting import DirectionCounts, SpontaneousRate
from ketune.inference import ConditionCounts, JointModel, Trees

ORIENTATION_DEG = (0.0, 36.0, 72.0, 108.0, 144.0, float("nan"))
TREES = Trees(np.array([0.25, 0.25]), np.array([900.0, 300.0]))
TRUTH = {
    "peak_rate_hz": 1.8,
    "background_rate_hz": 0.2,
    "preferred_basal_deg": 80.0,
    "preferred_apical_deg": 65.0,
    "spread_basal_deg": 18.0,
    "spread_apical_deg": 18.0,
    "ampa_nS": 0.8,
    "nmda_nS": 0.9,
    "pv_nS": 1.1,
    "sst_nS": 1.1,
    "gain_sd": 0.3,
    "drug.nmda": 0.4,
    "drug.pv": 0.7,
}


def counts_of(mean, fano, trials, rng):
    """Negative binomial counts."""
    return rng.negative_binomial(mean / (fano - 1), 1 / fano, trials)


@pytest.fixture(scope="session")
def truth():
    return TRUTH


@pytest.fixture(scope="session")
def one_condition(made_up_surface):
    """25 trials of five orientations and a blank."""
    blank = ConditionCounts("control", (np.array([0, 1]),) * 6)
    model = JointModel(made_up_surface, (blank,), ORIENTATION_DEG, 0.6, TREES)
    at = model.moments(model.coordinates(TRUTH))
    rng = np.random.default_rng(5)
    counts = tuple(counts_of(m, max(f, 1.01), 25, rng) for m, f in zip(at.mean[0], at.fano[0], strict=True))
    return model.with_conditions((ConditionCounts("control", counts),))


@pytest.fixture(scope="session")
def two_conditions(made_up_surface):
    """Control and drug: directions apart at one orientation, one of them silent; blanks not recorded."""

    def made(*, known=False):
        rng = np.random.default_rng(6)

        def counts(means):
            return tuple(rng.negative_binomial(4.0, 4.0 / (4.0 + m), 12) for m in means)

        control = (
            *counts([3.0, 6.0]),
            DirectionCounts((rng.poisson(14.0, 6), np.zeros(6, int))),
            *counts([5.0, 3.0]),
            SpontaneousRate(0.4, known),
        )
        drug = (*counts([2.0, 3.0, 5.0, 3.0, 2.0]), SpontaneousRate(0.3, known))
        return JointModel(
            made_up_surface,
            (ConditionCounts("control", control), ConditionCounts("drug", drug, ("nmda", "pv"))),
            ORIENTATION_DEG,
            0.6,
            TREES,
        )

    return made


@pytest.fixture(scope="session")
def without_counts():
    """The same model where nothing was recorded: its posterior is its prior."""

    def emptied(model):
        same = model.with_conditions(model.conditions)
        nothing = {name: 0 * model.data[name] for name in ("times", "total", "trials")}
        nothing["assumed"] = model.data["assumed"] & False
        vars(same)["data"] = {**model.data, **nothing}
        return same

    return emptied
