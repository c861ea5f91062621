"""The fewest actions: what is left of a sufficient hypothesis once all that its verdict does not need is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ketune.progress import Progress
from ketune.reproduce._arms import Arm
from ketune.reproduce._hypotheses import Hypothesis
from ketune.reproduce._members import Members, generator
from ketune.reproduce._pass_rules import PassRules
from ketune.reproduce._search import lacking, shared_fit
from ketune.reproduce._verdicts import screen

# Experiments by which a smaller set is judged while it is sought, and how many of them have to be met.
_EXPERIMENTS, _ENOUGH = 5, 4


def fewest_actions(
    arm: Arm,
    members: Members,
    values: Mapping[str, float],
    rules: PassRules,
    *,
    seed: int,
    progress: Progress,
) -> tuple[str, ...] | None:
    """Leave out actions one by one, always the one that is missed least, as long as T5 holds in predicted experiments.

    Every smaller set is fitted anew within the prior. None where no action can be left out.

    Parameters
    ----------
    values
        Fitted actions of the hypothesis.
    """
    kept, best = tuple(values), dict(values)
    with progress.task(f"{arm.hypothesis.name}: fewest actions", len(kept)) as task:
        while len(kept) > 1:
            without = {left: _missed(members, best, left, rules) for left in kept}
            for left in sorted(without, key=without.__getitem__):
                smaller = {name: arm.draws[name] for name in kept if name != left}
                found = shared_fit(members.prediction, smaller, rules.margins[0], members.trials).actions
                if _holds(arm, members, found, rules, seed=seed):
                    kept, best = tuple(smaller), found
                    task.advance(1)
                    break
            else:
                break
    return None if len(kept) == len(values) else kept


def fewest_of(hypothesis: Hypothesis, actions: Sequence[str]) -> Hypothesis:
    """The hypothesis that is left."""
    return Hypothesis(
        f"fewest of {hypothesis.name}",
        tuple(actions),
        f"what is left of '{hypothesis.name}' when every action that T5 can do without is left out",
    )


def _missed(members: Members, values: Mapping[str, float], left: str, rules: PassRules) -> float:
    """What is lacking without one action, the others as they are."""
    others = {name: x for name, x in values.items() if name != left}
    return lacking(members.prediction, others, rules.margins[0], members.trials)


def _holds(arm: Arm, members: Members, values: Mapping[str, float], rules: PassRules, *, seed: int) -> bool:
    """Whether T5 is met in most of a few predicted experiments."""
    met = 0
    for number in range(_EXPERIMENTS):
        rng = generator(seed, "fewest", arm.hypothesis.name, number)
        met += screen(arm.experiment(members, values, rng), rules=rules).together
    return met >= _ENOUGH
