"""The project's figure: a fitted neuron before and during the drug, in one row."""

from __future__ import annotations

from pathlib import Path

from ketune.errors import InputError
from ketune.report import _style as s
from ketune.report import _words as w
from ketune.report._drug_figures import draw_conditions
from ketune.report._fit_figures import plot_orientations
from ketune.report._neuron_drawing import draw_block
from ketune.report._results import load


def draw(directory: Path, path: Path) -> Path:
    """See `ketune.report.readme_figure`."""
    (result,) = load([directory])
    application = next((a for a in result.applications if a.neuron is not None), None)
    if application is None or application.neuron is None:
        raise InputError(f"{directory} holds no applied drug to draw: run `ketune apply {directory}` first")
    shown = [application.before, application.main]
    with s.style():
        fig = s.figure(9.0, 3.1)
        tuning, fano, neuron = fig.subplots(1, 3, width_ratios=[1.0, 1.0, 1.25])
        recorded = result.fit.tuning
        for axes, values, error in (
            (tuning, recorded.recorded_mean, recorded.recorded_sem),
            (fano, recorded.recorded_fano, recorded.recorded_fano_se),
        ):
            plot_orientations(
                axes, recorded.orientation_deg, values, error, offset=-3.5, label="recorded", color=s.RECORDED,
                marker="o", line="", filled=False,
            )  # fmt: skip
        draw_conditions(tuning, application, shown, lambda t: (t.mean, t.sem))
        tuning.set_ylabel(f"spikes in {w.number(result.fit.recording.window_s, unit='s')}")
        tuning.set_title("Tuning, recorded and model", loc="left", fontweight="bold")
        tuning.legend(loc="best")
        fano.axhline(1.0, color=s.MUTED, lw=0.9, ls=":", zorder=0)
        draw_conditions(fano, application, shown, lambda t: (t.fano, t.fano_se))
        fano.set_ylabel("Fano factor")
        fano.set_title("Variability", loc="left", fontweight="bold")
        fig.colorbar(draw_block(neuron, application.neuron), ax=neuron, label="NMDA block", shrink=0.85)
        at = application.main_condition
        neuron.set_title(f"{application.drug.capitalize()}, {at}", loc="left", fontweight="bold")
        try:
            fig.savefig(path, format="png", dpi=200, metadata={"Software": None})
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None
    return path
