"""Dose-response curves of a neuron whose answer to a drug is known, and of a small spiking one."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np
import pytest
from known_neuron import THETA, VALUES, KnownNeuron
from small_inputs import write_model

from ketune import tuning
from ketune.afferents import Drive
from ketune.cell import Cell
from ketune.cell_model import build_cell, read_model
from ketune.engines import create
from ketune.errors import InputError
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology
from ketune.pharmacology import (
    Drug,
    DrugEffect,
    effect,
    load_drug,
    nmda_block,
    no_effect,
    sample_parameters,
    sobol_design,
)
from ketune.progress import Progress
from ketune.storage import jsonable
from ketune.workflow._action_space import ActionReader, ActionSpace
from ketune.workflow._attribution import attribute, relevant_parameters
from ketune.workflow._curve_indices import QUANTITIES, curve_indices, shift_from
from ketune.workflow._dose_range import DoseRange, dose_range
from ketune.workflow._dose_response import LEVELS, DoseResponse, dose_response
from ketune.workflow._emulator import Budget
from ketune.workflow._simulation import Condition, FittedNeuron

NAMES = ("nmda.affinity_scale", "nmda.hill", "nmda.mg", "hcn1.dv_max")


@pytest.fixture(scope="module")
def cell(tmp_path_factory: pytest.TempPathFactory) -> Cell:
    model = read_model(write_model(tmp_path_factory.mktemp("model") / "small.toml"))
    return build_cell(model, read_morphology(SMALL_MORPHOLOGY))


@pytest.fixture(scope="module")
def drug() -> Drug:
    return load_drug("ketamine")


@pytest.fixture(scope="module")
def neuron(cell: Cell) -> KnownNeuron:
    return KnownNeuron(cell)


def of_dose(drug: Drug, n: int, dose: float, overrides: Any) -> DrugEffect:
    return effect(drug, np.full(n, dose), overrides=overrides, targets={"nmda", "hcn1", "pv", "sst"})


@pytest.fixture(scope="module")
def response(neuron: KnownNeuron, drug: Drug) -> DoseResponse:
    samples = [{}, *sample_parameters(drug, 59, 1, NAMES)]
    budget = Budget(checks=6, design=16, most_design=40, tolerance=0.02, seconds=1e9)
    effect_of = partial(of_dose, drug, neuron.cell.table.n)
    return dose_response(neuron, effect_of, dose_range("0.1uM:1mM:log8"), samples, seed=11, budget=budget)


def truth(response: DoseResponse, neuron: KnownNeuron, drug: Drug) -> np.ndarray:
    """Expected counts ``(n_samples, n_doses, 9)``, at the level of the pool of trials that was simulated."""
    n = neuron.cell.table.n
    means = [
        [neuron.expected(of_dose(drug, n, d, s)) for d in response.doses.values] for s in response.samples
    ]
    return np.array(means) * (response.grown.pool.mean / neuron.expected(None))


# Actions


def test_actions_of_an_even_effect_are_its_numbers(neuron: KnownNeuron, drug: Drug) -> None:
    n = neuron.cell.table.n
    dosed = effect(drug, np.full(n, 30.0))
    control, actions = ActionReader(neuron).completed([ActionReader(neuron)(e) for e in (None, dosed)])
    block = dosed.nmda_block[0]
    assert actions["nmda.block basal"] == pytest.approx(block)
    assert actions["nmda.block apical"] == pytest.approx(block)
    assert actions["nav.block"] == pytest.approx(dosed.nav_block[0])
    assert actions["hcn1.dv_ket"] == pytest.approx(dosed.hcn_shift_mV[0])
    assert actions["PV drive"] == pytest.approx(dosed.pv_drive)
    assert control["nmda.block basal"] == 0.0
    assert control["PV drive"] == 1.0
    assert control.keys() == actions.keys()
    space = ActionSpace.spanned_by([actions], control)
    # Block of both trees is one number here; what ketamine leaves alone is none.
    assert sum(name.startswith("nmda.block") for name in space.names) <= 1
    assert not any(name.startswith("ampa") for name in space.names)
    np.testing.assert_array_equal(space.points([control]), np.zeros((1, len(space.names))))


def test_synaptic_actions_are_means_over_the_synapses_of_a_tree(neuron: KnownNeuron) -> None:
    cell, table = neuron.cell, neuron.cell.table
    block = np.random.default_rng(0).uniform(size=table.n)
    uneven = no_effect(table.n)
    uneven = type(uneven)(**{**vars(uneven), "nmda_block": block})
    reader = ActionReader(neuron)
    actions = reader(uneven)
    synapses = neuron.layout.compartment["exc"]
    for tree in ("basal", "apical"):
        own = [block[c] for c in synapses if table.region[c] == tree]
        assert actions[f"nmda.block {tree}"] == pytest.approx(np.mean(own))
    assert reader.nmda_block(uneven) == pytest.approx(block[synapses].mean())
    assert cell.placement("nmda").parameters["block"].max() == 0.0


def test_trees_are_apart_where_the_drug_comes_from_above(neuron: KnownNeuron) -> None:
    table = neuron.cell.table
    reader = ActionReader(neuron)
    rows = []
    for basal, apical in ((0.2, 0.9), (0.4, 0.5), (0.1, 0.3)):
        block = np.where(table.region == "apical", apical, basal)
        rows.append(reader(type(no_effect(1))(**{**vars(no_effect(table.n)), "nmda_block": block})))
    control, *complete = reader.completed([reader(None), *rows])
    space = ActionSpace.spanned_by(complete, control)
    assert space.names == ("nmda.block apical", "nmda.block basal")


# Indices


def test_indices_are_those_of_a_summary() -> None:
    rng = np.random.default_rng(4)
    theta = np.array([*THETA, np.nan])
    mean, fano = np.empty((12, 9)), rng.uniform(0.8, 3.0, 12)
    for row in mean:
        form = tuning.shape(
            "gaussian", np.array(THETA) - rng.uniform(0, 180), np.full(8, rng.uniform(15, 40))
        )
        row[:8] = np.maximum(rng.uniform(1, 6) + rng.uniform(3, 25) * form + rng.normal(0, 0.4, 8), 0.05)
        row[8] = rng.uniform(0, 3)
    found, preferred = curve_indices(theta, mean, fano, 1.28)
    for i in range(12):
        expected = tuning.summarise(
            THETA, mean[i, :8], fano[i] * mean[i, :8], blank=mean[i, 8], window_s=1.28, n_trials=100
        )
        assert abs(shift_from(preferred[i], expected.preferred_deg)) < 0.05
        for name, value, tolerance in (
            ("peak_rate_hz", expected.peak_rate_hz, 0.01),
            ("orthogonal_rate_hz", expected.orthogonal_rate_hz, 0.01),
            ("spontaneous_rate_hz", expected.spontaneous_rate_hz, 1e-9),
            ("osi", expected.osi_fit, 1e-3),
            ("gosi", expected.gosi, 1e-9),
            ("hwhm_deg", expected.hwhm_deg, 0.05),
            ("fano", fano[i], 1e-9),
        ):
            assert found[name][i] == pytest.approx(value, abs=tolerance), name


def test_silence_and_flat_curves_have_no_tuning() -> None:
    theta = np.array([*THETA, np.nan])
    found, preferred = curve_indices(theta, np.vstack([np.zeros(9), np.full(9, 4.0)]), np.ones(2), 1.0)
    assert found["peak_rate_hz"].tolist() == pytest.approx([0.0, 4.0])
    assert np.isnan(found["osi"][0])
    assert found["osi"][1] == pytest.approx(0.0, abs=1e-6)
    assert np.isnan(found["hwhm_deg"]).all()
    assert np.isnan(preferred).all()
    assert np.isnan(found["fano"][0])


def test_a_nearly_silent_neuron_has_rates_but_no_tuning() -> None:
    theta = np.array([*THETA, np.nan])
    curve = np.r_[5.0 + 20.0 * tuning.shape("gaussian", np.array(THETA) - 60.0, np.full(8, 25.0)), 3.0]
    found, preferred = curve_indices(
        theta, np.vstack([curve, 0.05 * curve]), np.ones(2), 1.0, smallest_peak=2.0
    )
    assert np.isfinite(preferred).tolist() == [True, False]
    for name in ("osi", "gosi", "hwhm_deg", "fano"):
        assert np.isfinite(found[name]).tolist() == [True, False]
    for name in ("peak_rate_hz", "orthogonal_rate_hz", "spontaneous_rate_hz"):
        assert found[name][1] == pytest.approx(0.05 * found[name][0], rel=1e-3)


def test_few_orientations_have_no_fit() -> None:
    found, _ = curve_indices(np.array([0.0, 60.0, 120.0]), np.array([[5.0, 2.0, 1.0]]), np.ones(1), 1.0)
    assert np.isnan(found["osi"][0])
    assert np.isnan(found["spontaneous_rate_hz"][0])
    assert 0 < found["gosi"][0] < 1


def test_shift_wraps() -> None:
    np.testing.assert_allclose(shift_from(np.array([5.0, 175.0, 95.0]), 175.0), [10.0, 0.0, -80.0])


# The whole


def test_curves_and_bands_are_those_of_the_known_neuron(
    response: DoseResponse, neuron: KnownNeuron, drug: Drug
) -> None:
    expected = truth(response, neuron, drug)
    error = (response.mean_counts - expected) / response.grown.pool.peak
    assert response.error.within
    assert np.sqrt(np.mean(error**2)) < 0.02
    flat = expected.reshape(-1, 9)
    found, preferred = curve_indices(response.orientation_deg, flat, np.full(len(flat), 1.5), 1.0)
    shape = (60, 8)
    peak = np.quantile(found["peak_rate_hz"].reshape(shape), LEVELS, axis=0)
    np.testing.assert_allclose(response.bands("peak_rate_hz"), peak, atol=0.04 * response.grown.pool.peak)
    shift = np.quantile(shift_from(preferred, response.preferred_deg).reshape(shape), LEVELS, axis=0)
    np.testing.assert_allclose(response.bands("preferred_shift_deg"), shift, atol=2.0)
    assert np.nanmax(np.abs(response.curves["preferred_shift_deg"])) > 5.0


def test_quantiles_rise_with_their_level(response: DoseResponse) -> None:
    for name in QUANTITIES:
        assert np.all(np.diff(response.bands(name), axis=0) >= 0)


def test_default_is_the_first_sample_and_weak_doses_do_nothing(response: DoseResponse) -> None:
    document = response.as_dict()
    np.testing.assert_array_equal(document["bands"]["osi"]["default"], response.curves["osi"][0])
    assert response.curves["peak_rate_hz"][0, 0] == pytest.approx(response.control["peak_rate_hz"], rel=0.06)
    assert response.curves["peak_rate_hz"][0, -1] < 0.6 * response.control["peak_rate_hz"]


def test_against_block_the_peak_is_one_curve(response: DoseResponse) -> None:
    found = response.against_block()
    # The stand-in's peak follows block alone: within a bin of 0.1 it varies by 0.06 of the peak and the emulator.
    width = found["peak_rate_hz"][4] - found["peak_rate_hz"][0]
    assert width.max() < 0.1 * response.control["peak_rate_hz"]
    assert found["n"].sum() <= response.nmda_block.size
    assert found["n"].min() >= 20
    assert np.all((found["low"] <= found["block"]) & (found["block"] <= found["high"]))


def test_the_document_is_json_and_says_its_error(response: DoseResponse) -> None:
    document = json.loads(json.dumps(jsonable(response.as_dict()), allow_nan=False))
    assert document["emulator"]["within"] is True
    assert document["emulator"]["error_of_peak"] == pytest.approx(response.error.rms)
    assert len(document["emulator"]["checks"]) == 6
    assert document["n_samples"] == 60
    assert {len(document["bands"][name]["q50"]) for name in QUANTITIES} == {8}
    assert document["monte_carlo"]["error_of_peak"] > 0
    assert document["concentration_uM"]["q95"] == pytest.approx(document["doses"])
    check = document["emulator"]["checks"][0]
    assert check["dose"] in document["doses"]
    assert len(check["direct"]) == len(check["emulated"]) == 9


def test_figures_say_what_they_show(response: DoseResponse, neuron: KnownNeuron, drug: Drug) -> None:
    from ketune.report import _dose_figures as figures
    from ketune.report import _style

    design = sobol_design(drug, ("nmda.affinity_scale", "hcn1.dv_max"), 16, 1)
    shares = attribute(response, partial(of_dose, drug, neuron.cell.table.n), design)
    document, part = (json.loads(json.dumps(jsonable(x.as_dict()))) for x in (response, shares))
    document["bands"]["hwhm_deg"]["q50"][2] = None
    with _style.style():
        curves = figures.curves_picture(document, "ketamine")
        emulator = figures.emulator_picture(document, "ketamine")
        attribution = figures.attribution_picture(part, "ketamine")
        assert figures.attribution_picture({**part, "shares": {}}, "ketamine") is None
    assert attribution is not None
    assert "n = 60 sets" in curves.caption
    assert f"{100 * response.error.rms:.1f} %" in emulator.caption
    assert "n = 6 effects" in emulator.caption
    assert "peak rate (Hz): nmda.affinity_scale" in attribution.alt
    for picture in (curves, emulator, attribution):
        assert picture.uri.startswith("data:image/svg+xml")


def test_one_quantity_is_drawn_on_given_axes(response: DoseResponse) -> None:
    from matplotlib.figure import Figure

    from ketune import report

    axes = Figure().subplots()
    assert report.draw_dose_response(axes, response, "gosi") is axes
    drawn = {line.get_label(): line.get_xydata() for line in axes.get_lines()}
    np.testing.assert_allclose(drawn["median"][:, 0], response.doses.values)
    np.testing.assert_array_equal(drawn["median"][:, 1], response.bands("gosi")[2])
    np.testing.assert_array_equal(drawn["default parameters"][:, 1], response.curves["gosi"][0])
    np.testing.assert_array_equal(drawn["no drug"][:, 1], [response.control["gosi"]] * 2)
    assert axes.get_ylabel() == "gOSI"


def test_events_are_shared_between_effects(response: DoseResponse, neuron: KnownNeuron) -> None:
    budget = response.budget
    assert set(neuron.runs) == set(range(budget.pool_blocks * budget.block_trials))


def test_variance_is_attributed_to_what_causes_it(
    response: DoseResponse, neuron: KnownNeuron, drug: Drug
) -> None:
    effect_of = partial(of_dose, drug, neuron.cell.table.n)
    names = relevant_parameters(response, drug, effect_of, 5.0)
    assert {"nmda.affinity_scale", "hcn1.dv_max"} <= set(names)
    # The drug as given here does not come near these.
    assert not {"kv.ec50", "topical.diffusion"} & set(names)
    design = sobol_design(drug, ("nmda.affinity_scale", "hcn1.dv_max"), 128, 1)
    result = attribute(response, effect_of, design, dose=5.0)
    shares = {name: {s.factor: s for s in rows} for name, rows in result.shares.items()}
    assert shares["peak_rate_hz"]["nmda.affinity_scale"].total > 0.9
    assert shares["peak_rate_hz"]["hcn1.dv_max"].total < 0.1
    assert shares["preferred_shift_deg"]["hcn1.dv_max"].total > 0.9
    assert result.shares["preferred_shift_deg"][0].factor == "hcn1.dv_max"
    assert result.n_runs == 128 * 4
    json.dumps(jsonable(result.as_dict()), allow_nan=False)


def test_what_is_not_defined_is_left_out_or_not_attributed(
    response: DoseResponse, neuron: KnownNeuron, drug: Drug, monkeypatch: pytest.MonkeyPatch
) -> None:
    effect_of = partial(of_dose, drug, neuron.cell.table.n)
    design = sobol_design(drug, ("nmda.affinity_scale", "hcn1.dv_max"), 128, 1)
    whole = attribute(response, effect_of, design, dose=5.0)
    respond = DoseResponse.respond

    def with_gaps(self: DoseResponse, effects: Any) -> dict[str, np.ndarray]:
        found = respond(self, effects)
        found["peak_rate_hz"][17] = np.nan
        found["spontaneous_rate_hz"][::20] = np.nan
        return found

    monkeypatch.setattr(DoseResponse, "respond", with_gaps)
    gaps = attribute(response, effect_of, design, dose=5.0)
    assert "spontaneous_rate_hz" in whole.shares
    assert "spontaneous_rate_hz" not in gaps.shares
    assert gaps.left_out["peak_rate_hz"] == "not defined in 1 of 128 groups of parameter sets"
    for one, other in zip(whole.shares["peak_rate_hz"], gaps.shares["peak_rate_hz"], strict=True):
        assert one.factor == other.factor
        assert one.total == pytest.approx(other.total, abs=0.05)


def test_what_the_emulator_does_not_resolve_is_not_attributed(
    response: DoseResponse, neuron: KnownNeuron, drug: Drug
) -> None:
    # The stand-in's Fano factor is the same whatever the drug does: all that varies is the emulator's error.
    design = sobol_design(drug, ("nmda.affinity_scale", "hcn1.dv_max"), 64, 1)
    result = attribute(response, partial(of_dose, drug, neuron.cell.table.n), design, dose=5.0)
    assert "fano" not in result.shares
    assert "emulator's error" in result.left_out["fano"]
    assert response.quantity_error["peak_rate_hz"] < 0.03 * response.control["peak_rate_hz"]


def test_steepest_dose_is_where_the_default_falls(response: DoseResponse) -> None:
    dose = response.steepest_dose()
    block = float(nmda_block(dose, -60.0, load_drug("ketamine")))
    assert 0.25 < block < 0.75


def test_a_drug_that_does_nothing_here_is_refused(neuron: KnownNeuron) -> None:
    def nothing(dose: float, overrides: Any) -> DrugEffect:
        return no_effect(neuron.cell.table.n)

    with pytest.raises(InputError, match="changes anything"):
        dose_response(neuron, nothing, DoseRange((1.0, 2.0)), [{}])
    with pytest.raises(InputError, match="at least one set"):
        dose_response(neuron, nothing, DoseRange((1.0, 2.0)), [])


def test_doses_are_compared_with_the_baseline_that_is_given(neuron: KnownNeuron, drug: Drug) -> None:
    n = neuron.cell.table.n
    asleep = of_dose(drug, n, 5.0, {})

    def effect_of(dose: float, overrides: Any) -> DrugEffect:
        return of_dose(drug, n, 5.0 + dose, overrides)

    budget = Budget(pool_blocks=4, checks=2, check_blocks=2, design=8, most_design=8)
    found = dose_response(
        neuron, effect_of, DoseRange((0.0, 50.0, 500.0)), [{}, *sample_parameters(drug, 9, 1, NAMES)],
        control=Condition("asleep", asleep), seed=4, budget=budget,
    )  # fmt: skip
    level = found.grown.pool.mean / neuron.expected(asleep)
    assert found.grown.pool.peak == pytest.approx(neuron.expected(asleep)[:8].max(), rel=0.15)
    # No dose leaves the baseline as it is, whatever part of it the emulator knows from runs with doses.
    assert found.mean_counts[0, 0] == pytest.approx(level * neuron.expected(asleep), rel=0.05)
    assert found.curves["preferred_shift_deg"][0, 0] == pytest.approx(0.0, abs=1.0)


@pytest.mark.slow
def test_a_spiking_neuron_end_to_end(cell: Cell, drug: Drug) -> None:
    small = FittedNeuron(
        cell,
        VALUES,
        placement_seed=2,
        orientation_deg=(0.0, 45.0, 90.0, 135.0),
        window_ms=200.0,
        engine=create(cell, "auto", dt_ms=0.1, dtype=np.float32),
        drive=Drive(),
    )
    samples = [{}, *sample_parameters(drug, 9, 1)]

    def effect_of(dose: float, overrides: Any) -> DrugEffect:
        return effect(drug, np.full(cell.table.n, dose), overrides=overrides)

    budget = Budget(block_trials=16, pool_blocks=2, checks=3, check_blocks=2, design=10, most_design=10)
    found = dose_response(small, effect_of, dose_range("1uM:100uM:log3"), samples, seed=5, budget=budget)
    assert found.mean_counts.shape == (10, 3, 5)
    assert np.isfinite(found.mean_counts).all()
    assert found.error.rms < 0.2
    assert found.grown.simulated_trials == 16 * (2 + 6 + 10)
    # An independent direct run of the default at the highest dose, many trials of its own.
    dosed = Condition("dosed", effect_of(100.0, {}))
    direct = small.counts(dosed, trials=64, seed=77, progress=_null(), text="")
    peak = found.grown.pool.peak
    assert np.abs(found.mean_counts[0, -1] - direct.mean).max() < 0.35 * peak


def _null() -> Progress:
    from ketune.progress import NullProgress

    return NullProgress()
