"""Predictions of three neurons of the tiny cell, with spikes; and what is said where nothing can be measured."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ketune import evidence
from ketune.errors import InputError
from ketune.reproduce import PredictionEffort, population_predictions
from ketune.reproduce import _predicted_block as of_block
from ketune.reproduce import _predicted_cell as of_cell
from ketune.reproduce._prediction_bench import (
    CONTROL,
    HYPERPOLARISED,
    NO_AMPA,
    NO_NMDA,
    Condition,
    HYPERPOLARISED_mV,
    PredictionBench,
    gratings,
)
from ketune.reproduce._prediction_words import Chosen
from ketune.reproduce._predictions_block import Blocked, ContrastChange
from ketune.reproduce._predictions_cell import APICAL, BASAL, Cut, dendrites_cut
from ketune.reproduce._without_dendrite import dendrites, without

LITTLE = PredictionEffort(
    tuning_trials=3, block_trials=4, loss_neurons=3, subthreshold_neurons=3, subthreshold_trials=2,
    ablation_neurons=3, ablation_trials=3, contrast_neurons=3, contrast_trials=2, exposure_draws=1,
)  # fmt: skip


def predicted(cell, neurons, layouts, table=None, **options):
    return population_predictions(
        cell, neurons, layouts, table=table or evidence.reported_effects(), effort=LITTLE, seed=4, **options
    )


def target(name):
    return next(t for t in evidence.reported_effects().target if t.id == name)


def only(*names):
    table = evidence.reported_effects()
    return table.model_copy(update={"target": tuple(t for t in table.target if t.id in names)})


@pytest.fixture(scope="module")
def strong(neurons):
    """Neurons that fire in this cell, whose trees disagree."""
    changed = {"ampa_nS": 1.5, "nmda_nS": 1.5}
    return [
        replace(n, values={**n.values, **changed, "peak_rate_hz": 6.0 + i}) for i, n in enumerate(neurons)
    ]


@pytest.fixture(scope="module")
def found(tiny_cell, strong, layouts):
    return predicted(tiny_cell, strong, layouts)


@pytest.fixture(scope="module")
def bench(tiny_cell, strong, layouts):
    return PredictionBench(tiny_cell, strong, layouts, "auto", 3)


def test_the_document_is_plain_json_in_the_promised_form(found):
    read = json.loads(json.dumps(found.document(), allow_nan=False))
    assert [p["target"] for p in read["predictions"]] == ["T6", "T8", "T9", "T10", "T11", "T12"]
    for prediction in read["predictions"]:
        assert set(prediction) == {"target", "statement", "level", "met", "words", "rows", "note"}
        assert prediction["met"] in (True, False, None)
        assert prediction["words"].endswith(".")
        for row in prediction["rows"]:
            assert {"quantity", "value", "interval", "low", "high", "unit", "ours", "met", "n"} <= set(row)
    assert len(read["conflict"]["disparity_deg"]) == len(read["conflict"]["moved_deg"]) == 3
    assert read["predictions"][0]["met"] is None


def test_statements_levels_and_windows_are_the_tables(found):
    by_id = {t.id: t for t in evidence.reported_effects().target}
    for p in found.predictions:
        assert (p.statement, p.level) == (by_id[p.target].statement, by_id[p.target].level)
    nmda = found["T8"].rows[0]
    assert (nmda.low, nmda.high) == (0.25, 0.8)
    assert found["T8"].met is (found["T8"].rows[0].met and found["T8"].rows[1].met)


def test_a_neuron_is_the_same_alone_and_again(tiny_cell, strong, layouts, found):
    alone = predicted(tiny_cell, strong[:1], layouts[:1], only("T8"))
    assert alone["T8"].rows[0].values[0] == found["T8"].rows[0].values[0]
    assert alone["T8"].rows[0].interval is None
    assert alone.conflict is None


def test_an_untouched_cell_repeats_itself_and_blocks_take_spikes(bench):
    stimuli = [gratings((n.values["preferred_basal_deg"], np.nan)) for n in bench.neurons[:2]]
    counts = bench.counts((0, 1), "x", stimuli, (CONTROL, Condition(nmda=1.0), NO_NMDA, NO_AMPA), 4)
    control, again, no_nmda, no_ampa = counts[:, :, 0].sum(axis=2)
    assert (control > 10).all()
    np.testing.assert_array_equal(control, again)
    assert (no_nmda < 0.7 * control).all()
    assert (no_ampa < 0.7 * control).all()
    swapped = bench.counts((1, 0), "x", stimuli[::-1], (CONTROL,), 4)
    np.testing.assert_array_equal(swapped[0, ::-1], counts[0])
    assert not np.array_equal(bench.counts((0,), "y", stimuli[:1], (CONTROL,), 4)[0, 0], counts[0, 0])


def test_without_any_conductance_nothing_is_fired(bench):
    nothing = Condition(nmda=0.0, ampa=0.0)
    assert bench.counts((0,), "x", [gratings((80.0,))], (nothing,), 4).sum() == 0


def test_the_current_lowers_the_rest_by_what_is_said(bench):
    rest = bench._resting_mV(np.array([0.0, bench.current_nA]))
    assert rest[0] - rest[1] == pytest.approx(HYPERPOLARISED_mV, abs=0.5)
    v = bench.silent_mV((0,), "x", [gratings((np.nan,))], (CONTROL, HYPERPOLARISED), 2)
    assert (v[1] < v[0] - 1).all()


class FakeBench:
    """Counts from a formula: the neuron without a dendrite prefers an orientation further on."""

    def __init__(self, labels, turned):
        self.labels, self.turned, self.cut = labels, turned, ()

    def dendrites(self):
        return dict.fromkeys(self.labels, ())

    def driven_on(self, i, label):
        return 5 if label == f"basal dendrite {i + 1}" else 3

    def counts(self, chosen, experiment, stimuli, conditions, trials, *, cut):
        self.cut = cut
        theta = np.array(stimuli[0].orientation_deg)
        rows = []
        for at in (90.0, *(90.0 + self.turned[own[0]] for own in cut)):
            d = (theta - at + 90) % 180 - 90
            mean = np.round(1 + 20 * np.exp(-(d**2) / (2 * 20.0**2))).astype(int)
            rows.append(np.broadcast_to(mean[None, :, None], (len(chosen), len(theta), trials)))
        return np.stack(rows)


def test_the_apical_tree_and_the_most_driven_basal_dendrite_are_removed():
    labels = ["apical tree", "basal dendrite 1", "basal dendrite 2"]
    bench = FakeBench(labels, {"apical tree": 15.0, "basal dendrite 1": 0.0})
    cuts = dendrites_cut(bench, (0, 1), 4)
    assert cuts[APICAL].dendrite == ("apical tree",) * 2
    assert cuts[BASAL].dendrite == ("basal dendrite 1", "basal dendrite 2")
    np.testing.assert_allclose(cuts[APICAL].preferred_deg, 15, atol=0.1)
    np.testing.assert_allclose(cuts[BASAL].preferred_deg, 0, atol=1e-6)
    np.testing.assert_allclose(cuts[BASAL].width, 0, atol=1e-6)
    moved, what, _ = of_cell.against_disparity(cuts, (3.0, 4.0))
    np.testing.assert_allclose(moved, 15, atol=0.1)
    assert "apical tree or one basal dendrite removed" in what


def test_the_last_dendrite_stays():
    assert dendrites_cut(FakeBench(["basal dendrite 1"], {}), (0,), 4) == {}
    assert dendrites_cut(FakeBench([], {}), (0,), 4) == {}


def test_a_cell_without_an_apical_tree_says_so(tiny_cell):
    stump = without(tiny_cell, "apical tree").cell
    labels = list(dendrites(stump))
    assert "apical tree" not in labels
    cuts = dendrites_cut(FakeBench(labels, dict.fromkeys(labels, 0.0)), (0, 1), 4)
    assert list(cuts) == [BASAL]
    outcome = of_cell.robustness(target("T10"), cuts, Chosen((0, 1), 2), 4, 1)
    row = next(r for r in outcome.rows if "the apical tree" in r.quantity)
    assert (row.met, row.value) == (None, None)
    assert "no apical tree" in row.note
    assert "no apical tree" in outcome.words
    assert outcome.met is None
    nothing = of_cell.robustness(target("T10"), {}, Chosen((0, 1), 2), 4, 1)
    assert nothing.met is None
    assert "nothing can be said" in nothing.words


def test_a_tree_that_turns_the_preference_fails():
    cut = Cut(
        ("apical tree",) * 3, np.array([9.0, -8.0, 1.0]), np.full(3, 2.0), np.zeros(3), np.ones(3), np.ones(3)
    )
    outcome = of_cell.robustness(target("T10"), {APICAL: cut}, Chosen((0, 1, 2), 3), 4, 1)
    assert outcome.met is False
    assert "outside the window in 2 of the 3" in outcome.words
    assert "beyond the noise of trials in 2" in outcome.words


def test_silent_neurons_are_undecided():
    nan, some = np.full(3, np.nan), Chosen((0, 1, 2), 3)
    silent = Cut(("apical tree",) * 3, nan, np.full(3, np.inf), nan, np.full(3, np.inf), nan)
    outcomes = [
        of_block.block(target("T8"), Blocked(nan, nan, {0.1: nan}, None), 4, 1),
        of_block.selectivity(target("T11"), [(nan, nan)], [1.0], some, [], 4, 1),
        of_block.contrast(target("T12"), [ContrastChange(nan, nan, nan, nan)], [1.0], some, 4, 1),
        of_cell.robustness(target("T10"), {APICAL: silent, BASAL: silent}, some, 4, 1),
    ]
    for outcome in outcomes:
        assert outcome.met is None
        assert all(r.value is None and r.interval is None for r in outcome.rows)
    assert "nothing can be said" in outcomes[0].words
    assert "no neuron fires enough" in outcomes[1].words
    assert "no neuron is tuned" in outcomes[3].words


def test_bad_input_is_refused(tiny_cell, neurons, layouts):
    with pytest.raises(InputError, match="3 neurons with 2 layouts"):
        predicted(tiny_cell, neurons, layouts[:2])
    with pytest.raises(InputError, match="engine 'cuda'"):
        predicted(tiny_cell, neurons, layouts, engine="cuda")
