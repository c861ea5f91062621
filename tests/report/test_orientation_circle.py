"""The circle of orientations."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.projections.polar import PolarAxes
from report_example import apply_document

from ketune.report import _style as s
from ketune.report._orientation_circle import circle_picture, draw_circle
from ketune.report._results import Application


@pytest.fixture
def application() -> Application:
    return Application.model_validate(apply_document())


def test_curves_go_round_twice_and_close(application: Application) -> None:
    axes = Figure().add_subplot(projection="polar")
    assert isinstance(axes, PolarAxes)
    drawn = draw_circle(axes, application, [application.before, application.main])
    assert drawn is axes
    curve = next(line for line in axes.lines if line.get_label() == "before")
    theta, share = (np.asarray(values, float) for values in curve.get_data())
    tuning = application.before.tuning
    shown = [
        (t, m)
        for t, m in zip(tuning.orientation_deg, tuning.mean, strict=True)
        if t is not None and m is not None
    ]
    assert len(theta) == 2 * len(shown) + 1
    np.testing.assert_allclose(share[: len(shown)], share[len(shown) : -1])
    assert share[0] == share[-1]
    assert share.max() == pytest.approx(1.0)
    best = max(shown, key=lambda pair: pair[1])[0]
    assert best % 180 == pytest.approx(np.rad2deg(theta[np.argmax(share)]) % 180)


def test_every_kept_set_has_its_ticks_at_both_ends_of_its_axis(application: Application) -> None:
    axes = Figure().add_subplot(projection="polar")
    assert isinstance(axes, PolarAxes)
    draw_circle(axes, application, [application.before, application.main])
    angles = [
        np.rad2deg(line.get_xdata()[0])
        for line in axes.lines
        if line.get_color() == s.DURING and len(line.get_xdata()) == 2
    ]
    expected = [k.during.preferred_deg for k in application.kept if k.during.preferred_deg is not None]
    assert sorted(angles) == pytest.approx(sorted([*expected, *(e + 180 for e in expected)]))


def test_a_silent_neuron_has_no_circle(application: Application) -> None:
    main = application.main
    silent = main.tuning.model_copy(update={"mean": [0.0] * len(main.tuning.mean)})
    conditions = [
        c if c.label != main.label else c.model_copy(update={"tuning": silent})
        for c in application.conditions
    ]
    with s.style():
        assert circle_picture(application.model_copy(update={"conditions": conditions})) is None
        assert circle_picture(application) is not None
