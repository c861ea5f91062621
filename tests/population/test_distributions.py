"""Laws of virtual neurons: their quantiles, their reasons and their bounds."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from ketune.errors import InputError
from ketune.fitting import PARAMETERS
from ketune.population import SPECIES, Law, distributions


@pytest.mark.parametrize("u", [0.001, 0.3, 0.5, 0.97])
def test_a_law_that_is_cut_off_has_the_quantiles_of_scipys_truncated_normal(u: float):
    law = Law(median=40.0, log_sd=0.6, reason="test")
    a, b = np.log([6 / 40, 40 / 40]) / 0.6
    wanted = np.exp(stats.truncnorm.ppf(u, a, b, loc=np.log(40), scale=0.6))
    assert law.at(stats.norm.ppf(u), (6.0, 40.0)) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("deviate", [-9.0, 9.0])
def test_no_deviate_leaves_the_bounds(deviate: float):
    assert 6.0 <= Law(median=20.0, log_sd=0.3, reason="test").at(deviate, (6.0, 40.0)) <= 40.0


def test_a_normal_law_without_bounds_is_a_line():
    assert Law(median=3.0, sd=2.0, reason="test").at(-1.5) == pytest.approx(0.0)


@pytest.mark.parametrize("widths", [{}, {"sd": 1.0, "log_sd": 1.0}, {"median": -1.0, "log_sd": 1.0}])
def test_a_law_without_one_width_is_refused(widths: dict):
    with pytest.raises(ValidationError):
        Law(**{"median": 1.0, "reason": "test", **widths})


@pytest.mark.parametrize("species", SPECIES)
def test_every_entry_gives_its_reason(species: str):
    laws = distributions().of(species)
    assert all(len(getattr(laws, name).reason) > 5 for name in type(laws).model_fields)


def test_the_experiment_is_the_reported_one():
    experiment = distributions().experiment
    assert len(experiment.orientation_deg) == 9
    assert np.all(np.diff(experiment.orientation_deg) == 22.5)
    assert experiment.trials == 25
    assert np.isnan(experiment.stimuli_deg[-1])


def test_an_unknown_species_is_refused_in_one_line():
    with pytest.raises(InputError, match=r"^population 'ferret': there are cat and mouse; choose one$"):
        distributions().of("ferret")


def test_laws_are_named_as_the_parameters_of_a_fit():
    laws = type(distributions().cat).model_fields
    shared = {"ampa_nS", "nmda_nS", "pv_nS", "sst_nS", "gain_sd"}
    assert shared <= set(laws)
    assert shared <= {p.name for p in PARAMETERS}
