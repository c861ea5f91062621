"""The neuron's drawing against the morphology that it is of."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from ketune import compartments
from ketune.cell_model import default_cell
from ketune.morphology import default_morphology, read_morphology, shipped_morphologies
from ketune.outline import Outline, outline
from ketune.report._neuron_drawing import THINNEST_um, draw_block, draw_neuron, draw_synapses
from ketune.report._results import Neuron

DEPTH_um = 300.0


@pytest.fixture(scope="module")
def neuron() -> Neuron:
    cell = default_cell()
    table, traced = cell.table, outline(default_morphology(), cell.table)
    assert traced is not None
    x, y, z = table.xyz_um.T.tolist()
    return Neuron(
        x_um=x,
        y_um=y,
        z_um=z,
        parent=cell.table.parent.tolist(),
        diam_um=table.diam_um.tolist(),
        region=table.region.tolist(),
        nmda_block_during=np.linspace(0.2, 0.9, table.n).tolist(),
        concentration_um_during=[1.0] * table.n,
        synapses={"exc_driven": [0, 5, 5, 9], "pv": [0], "sst": [50]},
        soma_depth_um=DEPTH_um,
        outline={name: values.tolist() for name, values in vars(traced).items()},
    )


@pytest.mark.parametrize("name", sorted(shipped_morphologies()))
def test_outline_follows_the_traced_sections(name: str) -> None:
    """Length and area of the thinned neurites are those of the compartments, which keep the traced ones."""
    morphology = read_morphology(shipped_morphologies()[name])
    table = compartments.build(morphology)
    found = outline(morphology, table)
    assert isinstance(found, Outline)
    end = 1 + np.flatnonzero(np.diff(found.section) == 0)
    run = np.hypot(np.diff(found.x_um), np.diff(found.y_um))[end - 1]
    by_compartment = np.bincount(found.compartment[end], run, minlength=table.n)
    dendrites = np.isin(table.region, ["basal", "apical"])
    # In the plane a neurite is shorter than in space, never longer.
    assert np.all(by_compartment <= table.length_um * (1 + 1e-9))
    assert by_compartment[dendrites].sum() > 0.5 * table.length_um[dendrites].sum()
    mean_diam = np.bincount(found.compartment[end], 0.5 * (found.diam_um[end] + found.diam_um[end - 1]))
    mean_diam /= np.maximum(np.bincount(found.compartment[end]), 1)
    ratio = mean_diam[dendrites] / table.diam_um[dendrites]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.05)


def test_a_table_of_another_morphology_has_no_outline() -> None:
    other = read_morphology(shipped_morphologies()["small_pyramidal"])
    assert outline(other, compartments.build(default_morphology())) is None


def test_neurites_are_drawn_where_and_as_wide_as_they_are(neuron: Neuron) -> None:
    axes = draw_neuron(Figure().subplots(), neuron)
    (pieces,) = (c for c in axes.collections if isinstance(c, PathCollection))
    corners = np.concatenate([path.vertices.reshape(-1, 4, 2) for path in pieces.get_paths()])
    swc = np.concatenate([s.xyz_um for s in default_morphology().sections[1:] if s.region != "axon"])
    root = neuron.y_um[0]
    highest = DEPTH_um - (swc[:, 1].max() - root)
    assert corners[..., 1].min() == pytest.approx(highest, abs=2.0)
    assert neuron.outline is not None
    drawn = np.linalg.norm(corners[:, 1] - corners[:, 2], axis=1)
    seen = np.linalg.norm(corners[:, 0] - corners[:, 1], axis=1) > 0.1  # not along the line of sight
    assert drawn[seen].min() > 0.9 * THINNEST_um
    assert drawn.max() == pytest.approx(max(neuron.outline.diam_um), rel=0.1)
    low, high = axes.get_ylim()
    assert low > high  # depth grows downwards
    assert any(text.get_text() == "100 µm" for text in axes.texts)


def test_colours_are_those_of_the_block(neuron: Neuron) -> None:
    axes = Figure().subplots()
    scale = draw_block(axes, neuron)
    (pieces,) = (c for c in axes.collections if isinstance(c, PathCollection))
    assert neuron.outline is not None
    section = np.array(neuron.outline.section)
    compartment = np.unique(np.array(neuron.outline.compartment)[1:][section[1:] == section[:-1]])
    dendrite = np.flatnonzero(np.isin(np.array(neuron.region)[compartment], ["basal", "apical"]))
    expected = scale.to_rgba(np.array(neuron.nmda_block_during)[compartment[dendrite]])
    np.testing.assert_allclose(np.asarray(pieces.get_facecolor())[dendrite], expected)


def test_synapses_lie_on_their_compartments(neuron: Neuron) -> None:
    axes = draw_neuron(Figure().subplots(), neuron)
    assert draw_synapses(axes, neuron) == "4 driven excitatory, 1 PV, 1 SST synapses"
    (spots,) = (c.get_offsets() for c in axes.collections if c.get_label() == "driven excitatory")
    x = np.array(neuron.x_um) - neuron.x_um[0]
    depth = DEPTH_um - (np.array(neuron.y_um) - neuron.y_um[0])
    for spot, compartment in zip(np.asarray(spots), [0, 5, 5, 9], strict=True):
        assert np.hypot(spot[0] - x[compartment], spot[1] - depth[compartment]) < 25.0


def test_documents_without_an_outline_are_drawn_as_compartments(neuron: Neuron) -> None:
    plain = neuron.model_copy(update={"outline": None})
    axes = draw_neuron(Figure().subplots(), plain)
    (pieces,) = (c for c in axes.collections if isinstance(c, PathCollection))
    assert len(pieces.get_paths()) == len(plain.parent) - 1  # the soma is a circle
