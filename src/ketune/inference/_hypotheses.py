"""Which actions of a drug predict held-out trials best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from scipy import special

from ketune.fitting import DirectionCounts, SpontaneousRate
from ketune.inference._compare import Hypothesis, compare, stratified_folds
from ketune.inference._conditions import ACTIONS, ConditionCounts
from ketune.inference._density import log_mixture
from ketune.inference._model import JointModel
from ketune.inference._priors import Prior
from ketune.inference._replicates import Laws, conditional_laws
from ketune.inference._starts import refine
from ketune.progress import NullProgress, Progress

_STEPS = 80
_DRAWS = 100
# A factor that a hypothesis leaves out is held at no effect by a prior as narrow as this.
_HELD_SD = 1e-3


def every_hypothesis(actions: Sequence[str] = ACTIONS) -> tuple[tuple[str, ...], ...]:
    """All sets of actions, from none to all."""
    return tuple(h for n in range(len(actions) + 1) for h in combinations(actions, n))


def compare_hypotheses(
    model: JointModel,
    best: np.ndarray,
    hypotheses: Sequence[Sequence[str]] | None = None,
    *,
    folds: int = 5,
    seed: int = 1,
    progress: Progress | None = None,
) -> tuple[Hypothesis, ...]:
    """Rank sets of actions by the expected log predictive density of trials left out of the fit.

    Parameters are those at the optimum of the other folds' trials; the placement is integrated over.

    Parameters
    ----------
    model, best
        Model with all actions, and its optimum.
    hypotheses
        Sets of actions; all if not given. An empty one says that the drug did nothing.
    folds
        Each trial is left out once; folds have their share of every condition and orientation.
    """
    rng = np.random.default_rng([seed, 81])
    whole = [[_plain(o) for o in c.counts if not isinstance(o, SpontaneousRate)] for c in model.conditions]
    fold = stratified_folds({c.label: w for c, w in zip(model.conditions, whole, strict=True)}, folds, seed)
    chosen = every_hypothesis() if hypotheses is None else tuple(map(tuple, hypotheses))
    found: dict[str, np.ndarray] = {}
    with (progress or NullProgress()).task("comparing hypotheses", len(chosen) * folds) as task:
        for actions in chosen:
            held = _held(model, actions)
            parts = []
            for k in range(folds):
                conditions, left_out = _split(held, fold, k)
                trained = held.with_conditions(conditions)
                at = refine(trained, best, _STEPS).x
                # At the optimum: draws from the curvature leave the narrow curved ridge of the posterior, and would
                # punish hypotheses for parameters that the data leave open.
                every = np.repeat(at[None], _DRAWS, axis=0)
                parts.append(_predicted(conditional_laws(trained, every, rng), left_out))
                task.advance(1)
            found["+".join(actions) or "no action"] = np.concatenate(parts)
    return compare(found)


def _plain(observed: np.ndarray | DirectionCounts) -> np.ndarray:
    return np.concatenate(observed.counts) if isinstance(observed, DirectionCounts) else observed


def _held(model: JointModel, actions: Sequence[str]) -> JointModel:
    no_effect = {
        p.name: Prior("normal", p.coordinate(1.0), _HELD_SD)
        for c in model.conditions
        for p in c.parameters()
        if p.name.removeprefix(f"{c.label}.") not in actions
    }
    return replace(model, priors={**model.priors, **no_effect})


def _split(
    model: JointModel, fold: dict[str, tuple[np.ndarray, ...]], k: int
) -> tuple[list[ConditionCounts], list[tuple[int, int, np.ndarray]]]:
    conditions, left_out = [], []
    for c, condition in enumerate(model.conditions):
        counts, place = [], 0
        for s, observed in enumerate(condition.counts):
            if isinstance(observed, SpontaneousRate):
                counts.append(observed)
                continue
            every, own = _plain(observed), fold[condition.label][place]
            counts.append(every[own != k])
            left_out.append((c, s, every[own == k]))
            place += 1
        conditions.append(replace(condition, counts=tuple(counts)))
    return conditions, left_out


def _predicted(laws: Laws, left_out: Sequence[tuple[int, int, np.ndarray]]) -> np.ndarray:
    parts = []
    for c, s, counts in left_out:
        n = counts[None, :].astype(float)
        each = np.asarray(log_mixture(n, laws.mean[:, c, s][:, None], laws.dispersion[:, c, s][:, None]))
        parts.append(special.logsumexp(each, axis=0) - np.log(len(each)))
    return np.concatenate(parts)
