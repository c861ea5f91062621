"""Targets that no hypothesis is fitted to (T6, T8 to T12), predicted for a population by direct simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ketune.afferents import SynapseLayout
from ketune.cell import Cell
from ketune.engines import check_choice
from ketune.errors import InputError
from ketune.evidence import EffectTable, Target
from ketune.population import VirtualNeuron
from ketune.progress import NullProgress, Progress, Task
from ketune.reproduce import _predicted_block, _predicted_cell
from ketune.reproduce._drug_draws import TopicalDose
from ketune.reproduce._prediction_bench import PredictionBench, simulated_s
from ketune.reproduce._prediction_effort import PredictionEffort, spread_over_disparity
from ketune.reproduce._prediction_rules import PredictionRow
from ketune.reproduce._prediction_words import Chosen, Outcome, check_rules
from ketune.reproduce._predictions_block import (
    CONTRAST,
    ORIENTATION_DEG,
    PARTIAL_LOSSES,
    contrast_responses,
    control_tuning,
    losses_tried,
    receptor_block,
    selectivity_under_loss,
)
from ketune.reproduce._predictions_cell import FINE_ORIENTATION_DEG, dendrites_cut, subthreshold
from ketune.reproduce._reversal import reversal
from ketune.storage import jsonable

PREDICTED = ("T6", "T8", "T9", "T10", "T11", "T12")


@dataclass(frozen=True)
class Prediction:
    """A target and what the population says about it.

    Attributes
    ----------
    met
        None: not judged, or the population cannot say.
    words
        One sentence with numbers.
    rows
        Figures, those that are judged first.
    note
        What was simulated, for whom, and in what sense it is a prediction.
    """

    target: str
    statement: str
    level: str
    met: bool | None
    words: str
    rows: tuple[PredictionRow, ...]
    note: str


@dataclass(frozen=True)
class DisparityConflict:
    """T10 against T2: change of preferred orientation over the disparity of the trees, a neuron an entry."""

    disparity_deg: tuple[float, ...]
    moved_deg: tuple[float | None, ...]
    what: str
    words: str


@dataclass(frozen=True)
class PredictionResults:
    """All predictions of a population.

    Attributes
    ----------
    conflict
        None where the cell has no dendrite that could be removed.
    """

    predictions: tuple[Prediction, ...]
    conflict: DisparityConflict | None
    effort: PredictionEffort
    neurons: int

    def document(self) -> dict[str, Any]:
        """``predictions`` and ``conflict`` in plain lists and numbers, NaN as None."""
        return {"predictions": jsonable(self.predictions), "conflict": jsonable(self.conflict)}

    def __getitem__(self, target: str) -> Prediction:
        return next(p for p in self.predictions if p.target == target)


def population_predictions(
    cell: Cell,
    neurons: Sequence[VirtualNeuron],
    layouts: Sequence[SynapseLayout],
    *,
    table: EffectTable,
    engine: str = "auto",
    effort: PredictionEffort | None = None,
    dose: TopicalDose | None = None,
    seed: int = 1,
    progress: Progress | None = None,
) -> PredictionResults:
    """Simulate the experiments of T8 to T12 on a population without a drug, and time T6 by the exposure model.

    Conditions of one experiment share their afferent spikes, trial by trial: this is a model's counterfactual, not the
    verdict of an experiment. Experiments on one neuron have independent spikes, so that the preferred orientation is
    not found with the spikes that it is used on.

    Parameters
    ----------
    cell
        With the ports and labels of the default cell.
    layouts
        Synapses of each neuron.
    table
        Rules and windows; it may hold a user's rows. Targets that it lacks are left out.
    effort
        Default: :meth:`PredictionEffort.of` the number of neurons.
    dose
        Of T6.
    seed
        Everything random follows from it.

    Raises
    ------
    InputError
        No neurons, as many layouts as neurons are not given, the engine cannot be had, or the table has a rule that
        cannot be applied.
    """
    if not neurons or len(layouts) != len(neurons):
        raise InputError(
            f"predictions: {len(neurons)} neurons with {len(layouts)} layouts; give at least one neuron and a "
            "layout for each"
        )
    check_choice(engine)
    own = {t.id: t for t in table.target if t.id in PREDICTED}
    check_rules(own.values())
    effort = effort or PredictionEffort.of(len(neurons))
    with (progress or NullProgress()).task(
        "predictions that were not fitted", total=_simulated_s(effort, len(neurons))
    ) as task:
        bench = PredictionBench(cell, neurons, layouts, engine, seed, task.advance)
        found, conflict = _simulated(bench, own, effort, dose or TopicalDose(), task)
    return PredictionResults(
        tuple(
            Prediction(t.id, t.statement, t.level, f.met, f.words, tuple(f.rows), f.note)
            for name in PREDICTED
            if (t := own.get(name)) is not None
            for f in [found[name]]
        ),
        conflict,
        effort,
        len(neurons),
    )


def _simulated(
    bench: PredictionBench, own: dict[str, Target], effort: PredictionEffort, dose: TopicalDose, task: Task
) -> tuple[dict[str, Outcome], DisparityConflict | None]:
    neurons, n = bench.neurons, len(bench.neurons)

    def chosen(most: int) -> Chosen:
        return Chosen(spread_over_disparity(neurons, most), n)

    found: dict[str, Outcome] = {}
    conflict = None
    if "T6" in own:
        task.describe("predictions: reversal")
        gone = reversal(bench.cell, bench.layouts[0], dose, effort.exposure_draws, bench.seed)
        found["T6"] = _predicted_cell.reverses(own["T6"], gone, dose)
    if own.keys() & {"T8", "T11", "T12"}:
        task.describe("predictions: receptor block")
        tuned = control_tuning(bench, effort.tuning_trials)
        blocked = receptor_block(bench, tuned, effort.block_trials)
        losses = losses_tried(blocked)
        if "T8" in own:
            found["T8"] = _predicted_block.block(own["T8"], blocked, effort.block_trials, bench.seed)
        if "T11" in own:
            task.describe("predictions: selectivity without NMDA")
            some = chosen(effort.loss_neurons)
            ratios = selectivity_under_loss(bench, tuned, some.places, losses)
            found["T11"] = _predicted_block.selectivity(
                own["T11"], ratios, losses, some, neurons, effort.tuning_trials, bench.seed
            )
        if "T12" in own:
            task.describe("predictions: contrast")
            some = chosen(effort.contrast_neurons)
            responses = contrast_responses(bench, tuned, some.places, losses, effort.contrast_trials)
            found["T12"] = _predicted_block.contrast(
                own["T12"], responses, losses, some, effort.contrast_trials, bench.seed
            )
    if "T9" in own:
        task.describe("predictions: subthreshold tuning")
        some = chosen(effort.subthreshold_neurons)
        measured = subthreshold(bench, some.places, effort.subthreshold_trials)
        found["T9"] = _predicted_cell.depolarisation(
            own["T9"], measured, some, effort.subthreshold_trials, bench.current_nA, bench.seed
        )
    if "T10" in own:
        task.describe("predictions: removed dendrites")
        some = chosen(effort.ablation_neurons)
        cuts = dendrites_cut(bench, some.places, effort.ablation_trials)
        found["T10"] = _predicted_cell.robustness(own["T10"], cuts, some, effort.ablation_trials, bench.seed)
        if cuts:
            disparity = [neurons[i].disparity_deg for i in some.places]
            moved, what, words = _predicted_cell.against_disparity(cuts, disparity)
            conflict = DisparityConflict(tuple(disparity), moved, what, words)
    return found, conflict


def _simulated_s(effort: PredictionEffort, n: int) -> float:
    """Of all experiments where complete and one partial loss of NMDA are tried and two dendrites are cut."""
    k = len(ORIENTATION_DEG)
    e = effort
    return (
        n * simulated_s(k, e.tuning_trials, 1)
        + n * simulated_s(2, e.block_trials, 3 + len(PARTIAL_LOSSES))
        + min(n, e.loss_neurons) * simulated_s(k, e.tuning_trials, 2)
        + min(n, e.contrast_neurons) * simulated_s(len(CONTRAST) + 1, e.contrast_trials, 3)
        + min(n, e.subthreshold_neurons) * simulated_s(k + 1, e.subthreshold_trials, 3)
        + min(n, e.ablation_neurons) * simulated_s(len(FINE_ORIENTATION_DEG), e.ablation_trials, 3)
    )
