"""The file that describes a cell, and the cell that follows from it."""

import tomllib
from functools import cache
from importlib import resources

import numpy as np
import pytest

from ketune.cell_model import CellModel, build_cell, default_cell, default_model, read_model
from ketune.errors import InputError
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology

TEXT = (resources.files("ketune") / "data" / "models" / "cat_v1_l23.toml").read_text(encoding="utf-8")


@cache
def small_cell():
    return build_cell(morphology=read_morphology(SMALL_MORPHOLOGY))


def write(tmp_path, text):
    path = tmp_path / "model.toml"
    path.write_text(text)
    return path


def test_the_file_reads_back_as_the_default_model(tmp_path):
    assert read_model(write(tmp_path, TEXT)) == default_model()


def test_parameters_of_a_region_reach_its_compartments():
    cell = small_cell()
    described = {d["label"]: d for d in tomllib.loads(TEXT)["density"]}
    for label in ("nav", "hcn1"):
        placement = cell.placement(label)
        gbar = described[label]["parameters"]["gbar"]
        region = cell.table.region[placement.compartments]
        assert set(region) == set(gbar)
        np.testing.assert_array_equal(placement.parameters["gbar"], [gbar[r] for r in region])
    assert np.array_equal(cell.placement("leak").compartments, np.arange(cell.table.n))


def test_ports_reach_the_synapses_of_their_regions():
    cell = small_cell()
    assert cell.ports == {"exc": ("ampa", "nmda"), "pv": ("gaba_pv",), "sst": ("gaba_sst",)}
    assert set(cell.table.region[cell.placement("nmda").compartments]) == {"basal", "apical"}
    pv = cell.placement("gaba_pv").compartments
    assert 0 in pv
    assert cell.table.path_um[pv].max() <= 50.0
    assert cell.table.path_um.max() > 100.0


def test_the_shipped_cell():
    cell = default_cell()
    assert 150 < cell.table.n < 250
    assert all(np.all(np.diff(p.compartments) > 0) for p in cell.placements)
    assert set(np.unique(cell.table.cm_uF_cm2[cell.table.in_region("basal", "apical")])) == {2.0}


def test_a_finer_discretisation_on_request():
    morphology = read_morphology(SMALL_MORPHOLOGY)
    assert build_cell(morphology=morphology, d_lambda=0.1).table.n > 2 * small_cell().table.n


def test_a_region_that_the_morphology_lacks_leaves_its_placements_out():
    axonal = default_model().model_copy(update={"synapse": (default_model().synapse[0],)})
    nowhere = axonal.synapse[0].model_copy(update={"within_um": 1e-6})
    cell = build_cell(axonal.model_copy(update={"synapse": (nowhere,)}), read_morphology(SMALL_MORPHOLOGY))
    assert "ampa" not in cell.by_label


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('mechanism = "km"', 'mechanism = "km"\nnosuch = 1', "density.3.nosuch: Extra inputs"),
        ("celsius = 37.0", "", "celsius: Field required"),
        ("v_init_mV = -75.0", "v_init_mV = 20.0", "v_init_mV: Input should be less than -30"),
        ("d_lambda = 0.3", "d_lambda = 0.0", "d_lambda: Input should be greater than 0"),
        ("soma = 1.0, ais", "some = 1.0, ais", r"unknown region 'some' \(regions: soma, ais"),
        ('label = "km"', 'label = "kv"', "label 'kv' is used twice"),
        ('label = "leak"', 'label = "leek"', "a density mechanism with the label 'leak' is needed"),
        ("celsius = 37.0", "celsius = ", "not a TOML file"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path, old, new, message):
    assert old in TEXT
    path = write(tmp_path, TEXT.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as error:
        read_model(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot read the cell model"):
        read_model(tmp_path / "nothing.toml")


def test_a_parameter_that_the_mechanism_lacks():
    content = tomllib.loads(TEXT)
    content["density"][2]["parameters"]["conductance"] = 1.0
    with pytest.raises(InputError, match="'kv': mechanism 'kv' has no parameter 'conductance' "):
        build_cell(CellModel.model_validate(content))
