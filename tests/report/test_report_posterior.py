"""Figures of a posterior: they show what was given, and draw whatever may be missing."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ketune.inference import check_predictive, identify
from ketune.report import _posterior_figures as figures
from ketune.report import _style as s

RNG = np.random.default_rng(0)
PRIOR = np.exp(RNG.standard_normal(800))
CASES = {
    "identified": np.exp(0.1 * RNG.standard_normal(800)),
    "one-sided": RNG.choice(PRIOR[PRIOR < 0.6], 800),
    "unidentified": RNG.permutation(PRIOR),
    "at bound": 0.0101 * np.exp(0.01 * RNG.exponential(size=800)),
}


def rendered(fig: Figure) -> None:
    fig.savefig(io.BytesIO(), format="svg")


def row(draws: np.ndarray, **options) -> figures.ParameterRow:
    found = identify("x", draws, PRIOR, to_normal=np.log, bounds=(0.01, 100.0), scale="log", unit="nS")
    return figures.ParameterRow(
        "NMDA", "nS", draws, PRIOR, float(np.median(draws)), found, log=True, **options
    )


def test_each_row_has_its_verdict_in_words_and_colour():
    fig = s.figure(*figures.identifiability_size(len(CASES)))
    figures.draw_identifiability(fig, [row(draws, bounds=(0.01, 100.0)) for draws in CASES.values()])
    rendered(fig)
    for k, verdict in enumerate(CASES):
        drawn, said = fig.axes[2 * k], fig.axes[2 * k + 1]
        assert said.texts[0].get_text().startswith(f"{verdict}, contraction ")
        assert said.lines[0].get_color() == figures.VERDICT_COLORS[verdict]
        assert to_hex(drawn.collections[1].get_facecolor()[0]) == figures.VERDICT_COLORS[verdict].lower()
        assert drawn.get_ylabel() == "NMDA (nS)"


def test_densities_are_densities_and_the_interval_is_the_one_given():
    fig = s.figure()
    draws = CASES["identified"]
    one = row(draws)
    figures.draw_identifiability(fig, [one])
    axes = fig.axes[0]
    interval = axes.lines[1].get_xdata()
    assert 10 ** np.asarray(interval) == pytest.approx([one.found.low, one.found.high])
    (prior,) = (path.vertices for path in axes.collections[0].get_paths())
    (posterior,) = (path.vertices for path in axes.collections[1].get_paths())

    def area(v: np.ndarray) -> float:
        return 0.5 * abs(np.sum(v[:-1, 0] * v[1:, 1] - v[1:, 0] * v[:-1, 1]))

    assert area(prior) == pytest.approx(area(posterior), rel=0.03)
    peak = posterior[np.argmax(posterior[:, 1]), 0]
    assert peak == pytest.approx(0.0, abs=0.03)


def test_an_orientation_keeps_its_peak_whole_across_zero():
    draws = (1 + 4 * RNG.standard_normal(800)) % 180
    flat = 180 * RNG.random(800)
    found = identify("x", draws, flat, period=180, unit="deg")
    fig = s.figure()
    figures.draw_identifiability(
        fig, [figures.ParameterRow("preferred", "deg", draws, flat, 1.0, found, period=180.0)]
    )
    rendered(fig)
    axes = fig.axes[0]
    assert np.ptp(axes.get_xlim()) == pytest.approx(180)
    curve = axes.collections[1].get_paths()[0].vertices
    assert np.ptp(curve[curve[:, 1] > 0.5, 0]) < 12
    assert "0" in [tick.get_text() for tick in axes.get_xticklabels()]


@pytest.mark.parametrize("theta", [np.r_[np.arange(0.0, 180.0, 30.0), np.nan], np.arange(10.0, 180.0, 30.0)])
def test_surprising_statistics_are_crosses(theta: np.ndarray):
    rng = np.random.default_rng(1)
    mean = np.where(np.isnan(theta), 1.0, 3 + 10 * np.exp(-0.5 * ((np.nan_to_num(theta) - 60) / 20) ** 2))
    replicated = {c: rng.poisson(mean[:, None], (150, theta.size, 12)) for c in ("control", "drug")}
    recorded = {c: rng.poisson(mean[:, None], (theta.size, 12)) for c in replicated}
    recorded["drug"][2] += 15
    check = check_predictive(replicated, recorded, theta, window_s=1.0)
    fig = s.figure(*figures.predictive_size(check))
    figures.draw_predictive(fig, check)
    rendered(fig)
    crosses = [line for line in fig.axes[2].lines if line.get_marker() == "X"]
    assert 60.0 + theta[0] * (theta[0] == 10) in np.concatenate([line.get_xdata() for line in crosses])
    assert (fig.axes[2].get_title(loc="left"), fig.axes[0].get_title(loc="left")) == ("drug", "control")
    labels = [axes.get_xlabel() for axes in fig.axes[4:]]
    assert ("spontaneous rate (Hz)" in labels) == bool(np.isnan(theta).any())
    assert "shift of preferred (degrees)" in labels


def test_silence_and_what_never_moves_can_be_drawn():
    theta = np.arange(0.0, 180.0, 30.0)
    silent = {"control": np.zeros((30, 6, 4), int)}
    check = check_predictive(silent, {"control": np.zeros((6, 4), int)}, theta, window_s=1.0)
    fig = s.figure(*figures.predictive_size(check))
    figures.draw_predictive(fig, check)
    rendered(fig)
    assert any("p not available" in t.get_text() for axes in fig.axes for t in axes.texts)
    fig = s.figure()
    figures.draw_identifiability(fig, [row(np.ones(800))])
    rendered(fig)
