"""The figure of the kept parameter sets: which of them it marks as the best."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from report_example import LIKELIHOOD_DIFFERENCES, apply_document

from ketune.report import _drug_figures
from ketune.report import _style as s
from ketune.report._results import Application


def panels(document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Axes]:
    """The panels that the reader sees, by their title."""
    drawn: list[Figure] = []

    def keep(fig: Figure, **_: Any) -> None:
        drawn.append(fig)

    monkeypatch.setattr(_drug_figures.s, "picture", keep)
    _drug_figures.kept_picture(Application.model_validate(document))
    (fig,) = drawn
    return {axes.get_title(loc="left"): axes for axes in fig.axes if axes.get_title(loc="left")}


def lines(axes: Axes, color: str) -> list[list[float]]:
    return [list(line.get_ydata()) for line in axes.lines if line.get_color() == color]


def test_the_first_kept_set_is_marked_whatever_the_noise_of_the_likelihoods(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    document = apply_document()
    first, *others = document["kept"]
    assert min(LIKELIHOOD_DIFFERENCES) < LIKELIHOOD_DIFFERENCES[0] == 0 < max(LIKELIHOOD_DIFFERENCES)
    shown = panels(document, monkeypatch)
    for title, name in (("gOSI", "gosi"), ("Fano factor", "fano"), ("peak (Hz)", "peak_rate_hz")):
        assert lines(shown[title], s.INK) == [[first["before"][name], first["during"][name]]]
        assert len(lines(shown[title], s.MUTED)) == len(others)
    (marked,) = lines(shown["preferred (deg)"], s.INK)
    assert marked == pytest.approx([first["before"]["preferred_deg"], first["during"]["preferred_deg"]])


@pytest.mark.parametrize("missing", ["gosi", "preferred_deg"])
def test_no_other_set_is_marked_where_the_best_has_no_value(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = apply_document()
    document["kept"][0]["during"][missing] = None
    axes = panels(document, monkeypatch)[_drug_figures._KEPT_TITLES[missing]]
    assert lines(axes, s.INK) == []
    assert len(lines(axes, s.MUTED)) == len(document["kept"]) - 1
