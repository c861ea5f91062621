"""Figures on given axes: they return them, and draw what the data say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from ketune import report, tuning
from ketune.cell import Cell
from ketune.errors import InputError
from ketune.pharmacology import concentration, load_drug, make_exposure
from ketune.report._results import Application


@pytest.fixture
def axes() -> Axes:
    return Figure().subplots()


@pytest.fixture
def application(examples: list[Path]) -> Application:
    (found,) = report.open_fit(examples[0]).applications
    return found


def points(axes: Axes) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Means and half lengths of the error bars of each labelled series, gratings only."""
    found = {}
    for bars in axes.containers:
        assert isinstance(bars, ErrorbarContainer)
        if bars.get_label().startswith("_"):
            continue
        line, _, stems = bars.lines
        half = [np.diff(segment[:, 1])[0] / 2 for segment in stems[0].get_segments()] if stems else []
        found[bars.get_label()] = line.get_ydata(), np.array(half)
    return found


def test_a_recording_is_drawn_with_its_standard_errors(axes: Axes) -> None:
    recording = tuning.shipped_recording("example")
    assert report.draw_tuning(axes, recording) is axes
    drawn = points(axes)
    assert list(drawn) == list(recording.conditions())
    for condition, (mean, error) in drawn.items():
        trials = [recording.counts(o, condition) for o in recording.orientations(condition)]
        # The circle is closed: the value at 0 degrees comes again at 180.
        np.testing.assert_allclose(mean, [np.mean(t) for t in [*trials, trials[0]]])
        np.testing.assert_allclose(error, [t.std(ddof=1) / np.sqrt(t.size) for t in [*trials, trials[0]]])
    assert next(t.get_text() for t in axes.get_xticklabels()) == "blank"
    assert axes.get_ylabel() == "spikes in 2.00\N{NO-BREAK SPACE}s"


def test_a_fit_is_drawn_against_its_recording(examples: list[Path], axes: Axes) -> None:
    result = report.open_fit(examples[0])
    assert report.draw_tuning(axes, result) is axes
    drawn = points(axes)
    recorded, spiking = drawn["recorded, fitted"], drawn["model, spiking"]
    np.testing.assert_allclose(recorded[0][:-1], result.fit.tuning.recorded_mean)
    np.testing.assert_allclose(recorded[1][:-1], result.fit.tuning.recorded_sem)
    np.testing.assert_allclose(spiking[0][:-1], result.fit.check.spiking_mean[:-1])


def test_an_application_is_drawn_in_every_condition(application: Application, axes: Axes) -> None:
    assert report.draw_tuning(axes, application) is axes
    drawn = points(axes)
    assert sorted(drawn) == sorted(c.label for c in application.conditions)
    for condition in application.conditions:
        np.testing.assert_allclose(drawn[condition.label][0][:-1], condition.tuning.mean[:-1])


def test_preferred_orientations_of_the_kept_sets(application: Application, axes: Axes) -> None:
    assert report.draw_preferred(axes, application) is axes
    lines = [tuple(line.get_ydata()) for line in axes.get_lines()]
    kept = [(k.before.preferred_deg, k.during.preferred_deg) for k in application.kept]
    np.testing.assert_allclose(sorted(lines), sorted(kept))
    np.testing.assert_allclose(axes.get_lines()[-1].get_ydata(), kept[0])
    without = application.model_copy(update={"kept": []})
    with pytest.raises(InputError, match="no kept parameter set has a preferred orientation"):
        report.draw_preferred(axes, without)


def dose_document() -> dict:
    quantiles = {
        "q05": [1, 2],
        "q25": [2, 3],
        "q50": [3, 4],
        "q75": [4, 5],
        "q95": [5, 6],
        "default": [3.5, 4.5],
    }
    return {
        "doses": [1.0, 10.0],
        "dose_unit": "uM",
        "control": {"peak_rate_hz": 7.0},
        "bands": {
            name: quantiles if name == "peak_rate_hz" else {key: [None, None] for key in quantiles}
            for name in (
                "peak_rate_hz", "orthogonal_rate_hz", "spontaneous_rate_hz", "osi", "gosi", "hwhm_deg",
                "preferred_shift_deg", "fano",
            )
        },
    }  # fmt: skip


def test_a_quantity_against_dose(axes: Axes) -> None:
    assert report.draw_dose_response(axes, dose_document()) is axes
    drawn = {line.get_label(): list(line.get_ydata()) for line in axes.get_lines()}
    assert drawn == {"median": [3, 4], "default parameters": [3.5, 4.5], "no drug": [7.0, 7.0]}
    edges = [band.get_paths()[0].vertices[:, 1] for band in axes.collections]
    ends = [(edge.min(), edge.max()) for edge in edges]
    assert ends == [(1, 6), (2, 5)]
    assert axes.get_xlabel() == "dose (µM)"
    with pytest.raises(InputError, match=r"no quantity 'gosi'; it has peak_rate_hz$"):
        report.draw_dose_response(axes, dose_document(), "gosi")


def test_concentration_over_time_is_that_of_pharmacology(axes: Axes) -> None:
    exposure = make_exposure(load_drug("ketamine"), "ip", "30 mg/kg")
    times = np.linspace(1, 120, 8)
    assert report.draw_concentration(axes, exposure, [100, 300], times) is axes
    expected = concentration(exposure, [100, 300], times)
    assert [line.get_label() for line in axes.get_lines()] == [
        "100\N{NO-BREAK SPACE}µm",
        "300\N{NO-BREAK SPACE}µm",
    ]
    for line, values in zip(axes.get_lines(), expected.T, strict=True):
        np.testing.assert_allclose(line.get_xydata(), np.stack([times, values], -1))
    with pytest.raises(InputError, match="depth of -1 um"):
        report.draw_concentration(axes, exposure, -1, times)


def test_a_cell_hangs_below_the_pia_with_the_soma_at_its_depth(tiny_cell: Cell, axes: Axes) -> None:
    assert report.draw_neuron(axes, tiny_cell, soma_depth_um=420.0) is axes
    (soma,) = axes.patches
    assert soma.center == (0.0, 420.0)
    y = tiny_cell.table.xyz_um[:, 1]
    low, high = axes.get_ylim()
    assert low > 420 - (y - y[0]).min() > 420 - (y - y[0]).max() > high
    assert high < 0 < low
    assert {"basal", "apical"} <= {text.get_text() for text in axes.get_legend().get_texts()}
    with pytest.raises(InputError, match="soma_depth_um 5000 um lies outside the cortex"):
        report.draw_neuron(axes, tiny_cell, soma_depth_um=5000.0)


def test_block_has_a_bar_that_spans_it(application: Application, axes: Axes) -> None:
    assert report.draw_block(axes, application) is axes
    _, bar = axes.figure.axes
    block = [
        b
        for b, r in zip(application.neuron.nmda_block_during, application.neuron.region, strict=True)
        if r not in ("ais", "axon")
    ]
    low, high = bar.get_ylim()
    assert low <= min(block) < max(block) <= high
    assert low >= min(block) - 0.1
    with pytest.raises(InputError, match="has no picture of the neuron"):
        report.draw_block(axes, application.model_copy(update={"neuron": None}))


def test_names_with_dollar_signs_are_drawn(axes: Axes) -> None:
    recording = tuning.shipped_recording("macaque_v1")
    report.draw_tuning(axes, replace(recording, condition=np.full(recording.condition.size, "$x_{$")))
    axes.figure.savefig("/dev/null", format="svg")
