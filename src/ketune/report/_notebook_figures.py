"""Single figures on axes that the user made: what `ketune.report` exports for notebooks.

Importing `ketune.report` is light: NumPy, matplotlib and the figure modules are imported where something is drawn.
Legends stand within the axes, not above as on the page: above is the user's title.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ketune.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from ketune.cell import Cell
    from ketune.pharmacology import Exposure
    from ketune.report._results import Application, Neuron, Result
    from ketune.tuning import Recording
    from ketune.workflow import DoseResponse


def draw_tuning(axes: Axes, source: Recording | Result | Application) -> Axes:
    """Mean spike counts against orientation, with standard errors of the mean.

    Parameters
    ----------
    source: a recording (each of its conditions; drift directions are folded onto orientations), a fit of
        :func:`ketune.report.open_fit` (recorded, predicted and simulated), or one of its applications (each condition
        of the simulation). Blank trials stand left of 0 degrees.

    Returns
    -------
    `axes`
    """
    from ketune.report import _style as s
    from ketune.report import _words as w
    from ketune.report._results import Result
    from ketune.tuning import Recording

    with s.style():
        if isinstance(source, Result):
            from ketune.report._fit_figures import draw_tuning as draw

            draw(axes, source.fit)
            axes.legend()
            return axes
        if isinstance(source, Recording):
            _draw_recording(axes, source.fold())
            axes.set_ylabel(f"spikes in {w.number(source.window_s, unit='s')}")
        else:
            from ketune.report._drug_figures import draw_conditions

            draw_conditions(axes, source, source.conditions, lambda t: (t.mean, t.sem))
            axes.set_ylabel("spikes per trial")
        axes.set_ylim(bottom=0)
        axes.legend()
    return axes


def draw_preferred(axes: Axes, application: Application) -> Axes:
    """Preferred orientation before and during a drug: a line for each kept parameter set, the best one bold.

    The circle is opened around the first set, so a line may leave 0 to 180 degrees.

    Parameters
    ----------
    application: of :func:`ketune.report.open_fit`

    Returns
    -------
    `axes`

    Raises
    ------
    InputError: no kept set has a preferred orientation in both conditions
    """
    from ketune.report import _style as s
    from ketune.report._drug_figures import draw_kept

    pairs = [(k.before.preferred_deg, k.during.preferred_deg) for k in application.kept]
    if all(None in pair for pair in pairs):
        raise InputError(
            f"{application.title}: no kept parameter set has a preferred orientation before and during; "
            "draw_tuning shows the curves"
        )
    with s.style():
        draw_kept(axes, application, "preferred_deg")
        axes.set_ylabel("preferred orientation (degrees)")
    return axes


def draw_dose_response(
    axes: Axes, response: DoseResponse | Mapping[str, Any], quantity: str = "peak_rate_hz"
) -> Axes:
    """One quantity against dose: median and the bands that hold 50 and 90 % of the sampled drug parameters.

    Parameters
    ----------
    response: of `ketune.workflow.dose_response`, or the ``dose_response`` of an application
    quantity: "peak_rate_hz", "orthogonal_rate_hz", "spontaneous_rate_hz", "osi", "gosi", "hwhm_deg",
        "preferred_shift_deg" or "fano"

    Returns
    -------
    `axes`

    Raises
    ------
    InputError: another quantity, or one that is undefined at every dose
    """
    from ketune.report import _dose_figures as figures
    from ketune.report import _style as s

    document = response if isinstance(response, Mapping) else response.as_dict()
    drawn = figures.drawn(document)
    if quantity not in drawn:
        raise InputError(f"dose-response: no quantity '{quantity}'; it has {', '.join(drawn)}")
    with s.style():
        figures.draw_against_dose(axes, document, quantity)
        axes.set_xlabel(f"dose ({figures.unit_text(document['dose_unit'])})")
        axes.legend()
    return axes


def draw_concentration(axes: Axes, exposure: Exposure, depth_um: ArrayLike, times_min: ArrayLike) -> Axes:
    """Free drug against time, a line for each depth.

    Parameters
    ----------
    exposure: of `ketune.pharmacology.make_exposure`
    depth_um: (n,) depths below the pia
    times_min: (t,) minutes since the first dose

    Returns
    -------
    `axes`

    Raises
    ------
    InputError: as `ketune.pharmacology.concentration`
    """
    import matplotlib
    import numpy as np

    from ketune.pharmacology import concentration
    from ketune.report import _style as s
    from ketune.report import _words as w

    depths = np.atleast_1d(np.asarray(depth_um, dtype=np.float64))
    minutes = np.atleast_1d(np.asarray(times_min, dtype=np.float64))
    free = np.asarray(concentration(exposure, depths, minutes))
    # As in the figures of `ketune exposure`: without the map's yellow, which is lost on white.
    colours = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.85, depths.size))
    lines = itertools.cycle(("-", "--", "-.", ":"))
    with s.style():
        for i, (depth, line) in enumerate(zip(depths, lines, strict=False)):
            axes.plot(minutes, free[:, i], line, color=colours[i], label=w.exact(float(depth), "um"))
        axes.set_xlabel("time after the dose (min)")
        axes.set_ylabel("free drug (µM)")
        axes.legend()
    return axes


def draw_neuron(axes: Axes, cell: Cell, *, soma_depth_um: float | None = None) -> Axes:
    """A cell's soma, dendrites and axon below the pia, coloured by region.

    Parameters
    ----------
    soma_depth_um: of the soma below the pia; that of the shipped preparation, an assumption, if not given

    Returns
    -------
    `axes`

    Raises
    ------
    InputError: a depth outside the cortex
    """
    import numpy as np
    from matplotlib.colors import to_rgba

    from ketune.report import _style as s
    from ketune.report._neuron_drawing import draw_neuron as draw

    colours = {
        "soma": s.INK, "ais": s.MUTED, "axon": s.MUTED, "basal": s.OTHERS[0], "apical": s.OTHERS[1],
    }  # fmt: skip
    region = [str(r) for r in cell.table.region]
    neuron = _as_drawn(cell, default_soma_depth_um() if soma_depth_um is None else soma_depth_um)
    with s.style():
        draw(axes, neuron, np.array([to_rgba(colours[r]) for r in region]))
        for name in ("basal", "apical", "axon"):
            if name in region:
                axes.plot([], [], color=colours[name], lw=2.0, label=name)
        axes.legend()
    return axes


def draw_block(axes: Axes, application: Application) -> Axes:
    """The neuron coloured by the share of its NMDA conductance that is blocked, with a bar for the colours beside it.

    Parameters
    ----------
    application: of :func:`ketune.report.open_fit`

    Returns
    -------
    `axes`

    Raises
    ------
    InputError: the application has no picture of the neuron
    """
    from ketune.report import _style as s
    from ketune.report._neuron_drawing import draw_block as draw

    if application.neuron is None:
        raise InputError(
            f"{application.title}: has no picture of the neuron; make it again with `ketune apply`"
        )
    with s.style():
        colours = draw(axes, application.neuron)
        axes.figure.colorbar(colours, ax=axes, label="NMDA conductance blocked (fraction)")
    return axes


def default_soma_depth_um() -> float:
    """That of the shipped preparation."""
    from ketune.pharmacology import load_drug

    return load_drug().parameters["topical.soma_depth"].value


def _draw_recording(axes: Axes, recording: Recording) -> None:
    import numpy as np

    from ketune.report import _style as s
    from ketune.report._fit_figures import orientation_axis, plot_orientations

    conditions = recording.conditions()
    looks = itertools.cycle(
        zip(
            (s.RECORDED, s.DURING, *s.OTHERS), ("o", "D", "v", "P", "X", "<"), ("-", *["--"] * 5), strict=True
        )
    )
    shown: list[float] = []
    for i, (condition, (color, marker, line)) in enumerate(zip(conditions, looks, strict=False)):
        moments = recording.moments(condition)
        theta, mean = moments.orientation_deg.tolist(), moments.mean.tolist()
        error = np.sqrt(moments.variance / moments.n_trials).tolist()
        if moments.blank_mean is not None:
            blank = recording.counts(None, condition)
            theta, mean = [*theta, np.nan], [*mean, moments.blank_mean]
            error.append(blank.std(ddof=1) / np.sqrt(blank.size) if blank.size > 1 else np.nan)
        shown += theta
        # A slight sideways offset keeps error bars apart.
        offset = 0.9 * (i - (len(conditions) - 1) / 2)
        plot_orientations(
            axes, theta, mean, error, offset=offset, label=condition, color=color, marker=marker, line=line
        )
    orientation_axis(axes, shown)


def _as_drawn(cell: Cell, soma_depth_um: float) -> Neuron:
    from ketune.pharmacology import depth_below_pia
    from ketune.report._results import Neuron

    table = cell.table
    # Refuses a depth outside the cortex.
    depth_below_pia(table.xyz_um[:, 1], table.xyz_um[0, 1], soma_depth_um, what="soma_depth_um")
    x, y, z = table.xyz_um.T.tolist()
    return Neuron(
        x_um=x,
        y_um=y,
        z_um=z,
        parent=table.parent.tolist(),
        diam_um=table.diam_um.tolist(),
        region=[str(r) for r in table.region],
        nmda_block_during=[None] * table.n,
        concentration_um_during=[None] * table.n,
        soma_depth_um=soma_depth_um,
    )
