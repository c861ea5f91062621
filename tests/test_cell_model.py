"""The file that describes a cell, and the cell that follows from it."""

import tomllib
from functools import cache
from importlib import resources

import numpy as np
import pytest

from ketune.cell_model import CellModel, build_cell, default_cell, default_model, read_model
from ketune.engines.jax_engine import JaxEngine
from ketune.engines.neuron_engine import NeuronJob, run_in_processes
from ketune.errors import InputError
from ketune.events import Events
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
        ('mechanism = "km"', 'mechanism = "km"\nnosuch = 1', "density.4.nosuch: unknown key"),
        ("celsius = 37.0", "", "celsius: missing; add it"),
        ("v_init_mV = -75.0", "v_init_mV = 20.0", "v_init_mV: Input should be less than -30; it is 20.0"),
        ("d_lambda = 0.3", "d_lambda = 0.0", "d_lambda: Input should be greater than 0"),
        ("soma = 1.0, ais", "some = 1.0, ais", r"unknown region 'some' \(regions: soma, ais"),
        ('label = "km"', 'label = "kv"', "label 'kv' is used twice"),
        ('label = "leak"', 'label = "leek"', "a density mechanism with the label 'leak' is needed"),
        ("celsius = 37.0", "celsius = ", "not valid TOML: Invalid value .at line"),
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


class TestOwnMechanisms:
    """A `.mod` file beside the model file, with all that a mechanism of the user's may need."""

    MODEL = """
        name = "own"
        celsius = 34.0
        v_init_mV = -70.0
        ra_ohm_cm = 100.0
        d_lambda = 1.0
        cm_uF_cm2 = { dendrites = 2.0 }
        reversal_mV = { ek = -85.0 }
        concentration_mM = { cai = 2e-4, cao = 1.5 }
        [[density]]
        label = "leak"
        mechanism = "leak"
        parameters = { g = 1e-4 }
    """.replace("dendrites", "basal")
    GATE = """
        NEURON { SUFFIX gate USEION k READ ek WRITE ik RANGE gbar GLOBAL speed }
        PARAMETER { gbar = 1e-4 speed = 2 }
        ASSIGNED { v ek ik }
        STATE { n }
        INITIAL { n = open(v) }
        BREAKPOINT { SOLVE s METHOD cnexp ik = gbar*n*(v - ek) }
        DERIVATIVE s { n' = (open(v) - n)/speed }
        FUNCTION_TABLE open(v)
    """
    SYNAPSE = """
        NEURON { POINT_PROCESS satur NONSPECIFIC_CURRENT i RANGE tau, gmax, i }
        PARAMETER { tau = 5 gmax = 1e-3 }
        ASSIGNED { v i }
        STATE { s }
        INITIAL { s = 0 }
        BREAKPOINT { SOLVE d METHOD cnexp i = gmax*s*v }
        DERIVATIVE d { s' = -s/tau }
        NET_RECEIVE(w) { s = s + w*(1 - s) }
    """
    FOREIGN = """
        NEURON { SUFFIX foreign NONSPECIFIC_CURRENT i RANGE g, e }
        PARAMETER { g = 1e-5 e = -60 }
        ASSIGNED { v i }
        BREAKPOINT {
        VERBATIM
          i = g*(v - e);
        ENDVERBATIM
        }
    """

    def write(self, folder, *entries):
        (folder / "gate.mod").write_text(self.GATE)
        (folder / "satur.mod").write_text(self.SYNAPSE)
        (folder / "foreign.mod").write_text(self.FOREIGN)
        return write(folder, "\n".join([self.MODEL, *entries]).replace("        ", ""))

    def build(self, folder, *entries):
        return build_cell(read_model(self.write(folder, *entries)), read_morphology(SMALL_MORPHOLOGY))

    TABLES = "tables = { open = [[-100.0, -40.0, 0.0], [0.0, 0.2, 1.0]] }"
    GATED = f'[[density]]\nlabel = "own"\nmechanism = "gate.mod"\nregions = ["soma", "ais"]\n{TABLES}'
    CONNECTED = '[[synapse]]\nlabel = "sat"\nmechanism = "satur.mod"\nport = "exc"\nregions = ["basal"]'
    FOREIGN_ENTRY = '[[density]]\nlabel = "out"\nmechanism = "foreign.mod"'

    def test_a_channel_with_a_table_in_its_regions(self, tmp_path, monkeypatch):
        monkeypatch.chdir("/")  # the path is the model file's, not the process's
        cell = self.build(tmp_path, self.GATED)
        own = cell.placement("own")
        assert own.mechanism.path == (tmp_path / "gate.mod").resolve()
        assert own.mechanism.tables == {"open": ((-100.0, -40.0, 0.0), (0.0, 0.2, 1.0))}
        assert set(cell.table.region[own.compartments]) == {"soma", "ais"}
        assert cell.concentration_mM == {"cai": 2e-4, "cao": 1.5}
        n = own.mechanism.init(np.array([-70.0, 20.0]), own.mechanism.defaults())["n"]
        np.testing.assert_allclose(n, [0.1, 1.0])

    def test_regions_and_parameters_by_region_go_together(self, tmp_path):
        entry = self.GATED + "\nparameters = { gbar = { soma = 3e-4 } }"
        own = self.build(tmp_path, entry).placement("own")
        assert sorted(set(own.parameters["gbar"])) == [1e-4, 3e-4]

    def test_tables_are_needed(self, tmp_path):
        entry = self.GATED.replace(self.TABLES, "")
        with pytest.raises(InputError, match=r"gate\.mod: FUNCTION_TABLE open has no values") as error:
            self.build(tmp_path, entry)
        assert "\n" not in str(error.value)

    def test_tables_of_another_name(self, tmp_path):
        with pytest.raises(InputError, match=r"gate\.mod: "):
            self.build(tmp_path, self.GATED.replace("open =", "closed ="))

    def test_several_synapses_of_a_kind_on_each_compartment(self, tmp_path):
        one = self.build(tmp_path, self.CONNECTED).placement("sat").compartments
        three = self.build(tmp_path, self.CONNECTED + "\nper_compartment = 3").placement("sat")
        assert np.array_equal(three.compartments, np.repeat(one, 3))
        assert all(len(x) == 3 * len(one) for x in three.parameters.values())

    @pytest.mark.parametrize(
        ("entry", "message"),
        [
            (
                '[[synapse]]\nlabel = "x"\nmechanism = "AMPA"\nport = "exc"\nregions = ["basal"]\nper_compartment = 2',
                "'x': synapses of AMPA on one compartment share their states exactly; leave out per_compartment",
            ),
            (CONNECTED + "\nper_compartment = 0", "per_compartment: Input should be greater than or equal to 1"),
            (
                '[[synapse]]\nlabel = "x"\nmechanism = "kv"\nport = "exc"\nregions = ["basal"]',
                r"'x': kv is a density mechanism; list it under \[\[density\]\]",
            ),
            (
                CONNECTED.replace("satur.mod", "gate.mod") + f"\n{TABLES}",
                r"'sat': gate is a density mechanism; list it under \[\[density\]\]",
            ),
            (
                '[[density]]\nlabel = "x"\nmechanism = "AMPA"',
                r"'x': AMPA is a point process; list it under \[\[synapse\]\]",
            ),
            (
                '[[density]]\nlabel = "x"\nmechanism = "satur.mod"',
                r"'x': satur is a point process; list it under \[\[synapse\]\]",
            ),
            (GATED.replace("gate.mod", "nosuch.mod"), "there is no such mechanism file"),
            (GATED.replace("gate.mod", "nosuch"), "no mechanism 'nosuch': the shipped ones are"),
            (FOREIGN_ENTRY, r"foreign\.mod:6: VERBATIM: it is foreign code"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_one_line(self, tmp_path, entry, message):
        with pytest.raises(InputError, match=message) as error:
            self.build(tmp_path, entry)
        assert "\n" not in str(error.value)

    def test_concentrations_are_positive(self, tmp_path):
        path = self.write(tmp_path)
        path.write_text(path.read_text().replace("cai = 2e-4", "cai = 0.0"))
        with pytest.raises(InputError, match=r"concentration_mM\.cai: Input should be greater than 0"):
            read_model(path)

    @pytest.mark.neuron
    def test_a_whole_cell_with_them_agrees(self, tmp_path):
        cell = self.build(
            tmp_path, self.GATED, self.CONNECTED + "\nper_compartment = 2\nparameters = { gmax = 2e-3 }"
        )
        at = cell.placement("sat").compartments[0]
        n = 12
        events = Events.from_arrays(
            n_lanes=1, n_steps=1600, dt_ms=0.025, port_names=("exc",), step=np.arange(n) * 100 + 50,
            lane=np.zeros(n), compartment=np.full(n, at), port=np.zeros(n), weight=0.3 + 0.1 * (np.arange(n) % 3),
            connection=np.arange(n) % 3,
        )  # fmt: skip
        engine = JaxEngine(cell, dt_ms=0.025, dtype=np.float64, derivative="forward_difference")
        run = engine.run(events, record=range(cell.table.n))
        (result,) = run_in_processes([NeuronJob(cell, events, record="all")])
        assert result.status == "done", result.message
        assert np.max(np.abs(run.v_mV[:, :, 0] - result.run.v_mV)) < 1e-9
        assert np.ptp(result.run.v_mV[:, at]) > 0.1

    @pytest.mark.neuron
    def test_a_file_for_neuron_only_runs_there_and_nowhere_else(self, tmp_path):
        cell = self.build(tmp_path, self.FOREIGN_ENTRY + "\nneuron_only = true\nparameters = { g = 3e-5 }")
        events = Events.none(n_lanes=1, n_steps=200, dt_ms=0.025)
        silent = cell.with_parameters({("out", "g"): 0.0})
        results = run_in_processes([NeuronJob(c, events, record="all") for c in (cell, silent)])
        assert [r.status for r in results] == ["done", "done"], results[0].message
        v, without = (r.run.v_mV for r in results)
        assert np.isfinite(v).all()
        assert np.max(np.abs(v - without)) > 0.01
        with pytest.raises(
            InputError, match="out can only be simulated by NEURON, without gradients"
        ) as error:
            JaxEngine(cell)
        assert "foreign.mod has VERBATIM" in str(error.value)
        assert "\n" not in str(error.value)
