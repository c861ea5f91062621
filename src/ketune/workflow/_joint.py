"""Conditions of a joint fit: which recordings belong together, and the user's words for priors and starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ketune.errors import InputError
from ketune.fitting import DirectionCounts, FitParameter, SpontaneousRate
from ketune.inference import ACTIONS, ConditionCounts, Prior, coordinate_of, normal_over
from ketune.tuning import Recording

_SAME_DEG, _SAME_WINDOW_S = 0.01, 1e-6
Observed = np.ndarray | DirectionCounts


def further_conditions(
    names: Sequence[str], control: Recording, read: Callable[[Path], Recording]
) -> list[tuple[Recording, str]]:
    """The recordings of ``--with``: each a condition of the same file, or another file with one condition.

    Raises
    ------
    InputError
        A name is neither, or the recording is of other orientations or of another window.
    """
    found = []
    for name in names:
        if name in control.conditions():
            found.append((control, name))
            continue
        if not Path(name).is_file():
            raise InputError(
                f"--with: '{name}' is neither a condition of {control.source or control.name} "
                f"({', '.join(control.conditions())}) nor a file"
            )
        recording = read(Path(name))
        labels = recording.conditions()
        if len(labels) != 1:
            raise InputError(
                f"--with: {name} holds the conditions {', '.join(labels)}; a further file must hold one only"
            )
        found.append((recording, labels[0] if labels[0] != "control" else Path(name).stem))
    return found


def check_alike(
    control: Recording, condition: str | None, further: Sequence[tuple[Recording, str]], labels: Sequence[str]
) -> None:
    """Refuse conditions that cannot be fitted together.

    Raises
    ------
    InputError
        Orientations, blank trials or windows differ.
    """
    own = control.orientations(condition)
    for (recording, _), label in zip(further, labels, strict=True):
        name = label if recording is control else None
        where = f"--with: condition '{label}'"
        if abs(recording.window_s - control.window_s) > _SAME_WINDOW_S:
            raise InputError(
                f"{where} has a window of {recording.window_s:g} s, the control {control.window_s:g} s; "
                "count the spikes of both in the same window"
            )
        other = recording.orientations(name)
        if len(other) != len(own) or np.any(np.abs(other - own) > _SAME_DEG):
            raise InputError(
                f"{where} has the orientations {_listed(other)}, the control {_listed(own)}; "
                "keep those that both have"
            )
        if recording.has_blank_in(name) != control.has_blank_in(condition):
            has, lacks = (label, "the control") if recording.has_blank_in(name) else ("the control", label)
            raise InputError(f"{where}: {has} has blank trials and {lacks} has none; remove or add them")


def _listed(orientations: np.ndarray) -> str:
    return ", ".join(f"{o:g}" for o in orientations)


def condition_counts(
    label: str,
    observed: Sequence[Observed],
    assumed_blank: SpontaneousRate | None,
    actions: Sequence[str] = (),
) -> ConditionCounts:
    """Counts of one condition with what is assumed of its blank."""
    blank = () if assumed_blank is None else (assumed_blank,)
    return ConditionCounts(label, (*observed, *blank), tuple(actions))


def parse_actions(text: str | None) -> tuple[str, ...]:
    """The actions of ``--actions``: "nmda,pv,sst"; all where nothing is given.

    Raises
    ------
    InputError
        One is unknown.
    """
    if text is None:
        return ACTIONS
    chosen = tuple(part.strip() for part in text.split(",") if part.strip())
    for name in chosen:
        if name not in ACTIONS:
            raise InputError(f"--actions: '{name}' is not known; choose from {', '.join(ACTIONS)}")
    if len(set(chosen)) < len(chosen) or not chosen:
        raise InputError(f"--actions: '{text}' names none, or one twice; give a list such as nmda,pv")
    return tuple(a for a in ACTIONS if a in chosen)


def parse_priors(texts: Sequence[str], parameters: Sequence[FitParameter]) -> dict[str, Prior]:
    """Priors such as ``"nmda_nS=0.3..0.9"``, the range that holds 95 %.

    Raises
    ------
    InputError
        It cannot be read, names no parameter, or lies outside the parameter's bounds.
    """
    by_name, found = {p.name: p for p in parameters}, {}
    for text in texts:
        name, _, span = text.partition("=")
        parameter = _named(name.strip(), by_name, "--prior", text)
        try:
            low, high = (float(part) for part in span.split(".."))
        except ValueError:
            raise InputError(
                f"--prior: '{text}' is no range; write such as {parameter.name}=0.3..0.9"
            ) from None
        found[parameter.name] = normal_over(parameter, low, high)
    return found


def parse_start(
    texts: Sequence[str], parameters: Sequence[FitParameter], priors: dict[str, Prior]
) -> dict[str, float] | None:
    """A start such as ``"nmda_nS=0.5"``.

    Raises
    ------
    InputError
        It cannot be read, or a prior all but excludes it.
    """
    by_name, found = {p.name: p for p in parameters}, {}
    for text in texts:
        name, _, value = text.partition("=")
        parameter = _named(name.strip(), by_name, "--start", text)
        try:
            found[parameter.name] = float(value)
        except ValueError:
            raise InputError(f"--start: '{text}' is no number; write such as {parameter.name}=0.5") from None
        if parameter.scale != "orientation" and not parameter.low < found[parameter.name] < parameter.high:
            raise InputError(
                f"--start: {text} lies outside the bounds of {parameter.name}, {parameter.low:g} to {parameter.high:g}"
            )
        prior = priors.get(parameter.name)
        if (
            prior is not None
            and abs(coordinate_of(parameter, found[parameter.name]) - prior.centre) > 5 * prior.sd
        ):
            raise InputError(
                f"--start: {text} is excluded by its prior (more than five standard deviations off); "
                "widen the prior or move the start"
            )
    return found or None


def _named(name: str, by_name: dict[str, FitParameter], option: str, text: str) -> FitParameter:
    import difflib

    if name not in by_name:
        near = difflib.get_close_matches(name, by_name, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(by_name)}"
        raise InputError(f"{option}: '{text}' names no parameter; {hint}")
    return by_name[name]
