"""The grid behind the explorer: its doses, what the drug does there, and what the emulator makes of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known_neuron import THETA, VALUES, KnownNeuron
from small_inputs import Inputs

from ketune import _console, cli, pharmacology
from ketune.afferents import Drive
from ketune.cell import Cell
from ketune.cell_model import build_cell, read_model
from ketune.errors import InputError
from ketune.explorer import EXPLORER_FORMAT, Explorer
from ketune.morphology import read_morphology
from ketune.pharmacology import NmdaDrive, load_drug
from ketune.progress import NullProgress
from ketune.storage import jsonable, result_directory, write_json
from ketune.workflow import CONTROL, DrugRequest, explore
from ketune.workflow._dosing import prepare
from ketune.workflow._emulator import Budget
from ketune.workflow._explore import RouteEffects, effects_by_route, explored
from ketune.workflow._explore_grid import for_route, routes_of, times_of

KETAMINE = load_drug("ketamine")
TIMES = ("0 min", "10 min", "30 min", "120 min")
REQUEST = DrugRequest(at=TIMES)


@pytest.fixture(scope="module")
def cell(inputs: Inputs) -> Cell:
    return build_cell(read_model(inputs.model), read_morphology(inputs.morphology))


@pytest.fixture(scope="module")
def neuron(cell: Cell) -> KnownNeuron:
    return KnownNeuron(cell)


@pytest.fixture(scope="module")
def drive(cell: Cell) -> NmdaDrive:
    return NmdaDrive(np.full(cell.table.n, -50.0), np.full(cell.table.n, 2.0))


@pytest.fixture(scope="module")
def by_route(cell: Cell, drive: NmdaDrive) -> list[RouteEffects]:
    grids = routes_of(KETAMINE, (), (), REQUEST)
    plans = [prepare(for_route(REQUEST, grid), cell) for grid in grids]
    return effects_by_route(grids, plans, drive, NullProgress())


@pytest.fixture(scope="module")
def document(neuron: KnownNeuron, by_route: list[RouteEffects]) -> dict[str, Any]:
    budget = Budget(checks=6, design=16, most_design=40, tolerance=0.02, seconds=1e9)
    return explored(neuron, by_route, CONTROL, budget=budget, seed=11, progress=NullProgress())


@pytest.fixture(scope="module")
def explorer(document: dict[str, Any]) -> Explorer:
    return Explorer.model_validate(json.loads(json.dumps(jsonable(document), allow_nan=False)))


# The grid


def test_default_routes_are_those_that_the_drug_has_numbers_for() -> None:
    assert [g.route for g in routes_of(KETAMINE, (), (), REQUEST)] == ["topical", "ip", "bath"]
    assert [g.route for g in routes_of(load_drug("d-apv"), (), (), REQUEST)] == ["bath"]


def test_default_doses_are_round_numbers_and_solutions_are_shown_by_mass_too() -> None:
    topical, ip, bath = routes_of(KETAMINE, (), (), REQUEST)
    assert ip.doses.values == pytest.approx((1, 2, 3, 5, 10, 20, 30, 50, 100))
    assert ip.texts[3] == "5 mg/kg"
    assert (bath.texts[0], bath.texts[-1]) == ("0.1 uM", "1 mM")
    # 10 mg/ml of the salt, 274.19 g/mol.
    assert topical.texts[8] == "10 mg/ml (36.5 mM)"
    assert topical.doses.values[8] == pytest.approx(1e7 / 274.19, rel=1e-4)


def test_routes_come_in_the_order_asked_for_with_their_own_doses() -> None:
    found = routes_of(KETAMINE, ("iv",), ("bath=1 uM, 10 uM", "systemic=5mg/kg:20mg/kg:log3"), REQUEST)
    assert [g.route for g in found] == ["iv", "bath", "ip"]
    assert found[1].doses.values == (1.0, 10.0)
    assert found[2].doses.values == pytest.approx((5, 10, 20))


def test_doses_of_the_base_are_more_of_the_salt_and_are_given_once() -> None:
    request = replace(REQUEST, as_base=True)
    (ip,) = routes_of(KETAMINE, (), ("ip=1mg/kg, 2mg/kg",), request)
    p = KETAMINE.values()
    assert ip.doses.values[0] == pytest.approx(p["molar_mass.salt"] / p["molar_mass.base"])
    assert for_route(request, ip) == replace(request, route="ip", dose=ip.doses.texts[1], as_base=False)


def test_times_are_four_hours_unless_asked_for() -> None:
    assert (times_of(DrugRequest())[0], times_of(DrugRequest())[-1]) == ("0 min", "240 min")
    assert times_of(REQUEST) == TIMES


@pytest.mark.parametrize(
    ("routes", "doses", "message"),
    [
        (("nowhere",), (), "unknown route 'nowhere'"),
        (("table",), (), "no dose to vary"),
        ((), ("ip",), "write ROUTE=DOSES"),
        ((), ("ip=",), "write ROUTE=DOSES"),
        ((), ("ip=5 uM, 7 uM",), "--doses"),
        ((), ("bath=2 uM, 1 uM",), "doses must rise"),
    ],
)
def test_grids_that_cannot_be(routes: tuple[str, ...], doses: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        routes_of(KETAMINE, routes, doses, REQUEST)
    assert "\n" not in str(caught.value)


# What the drug does


def test_effects_of_a_dose_are_those_of_applying_it(
    by_route: list[RouteEffects], cell: Cell, drive: NmdaDrive
) -> None:
    topical = by_route[0]
    plan = prepare(replace(REQUEST, dose="10 mg/ml"), cell)
    direct = plan.dosing.effects(plan.times_min, drive, plan.labels)
    for one, other in zip(topical.effects[8], direct, strict=True):
        for name in ("concentration_uM", "nmda_block", "hcn_shift_mV", "pv_drive"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-4, atol=1e-9)


def test_concentrations_are_those_of_the_routes(explorer: Explorer) -> None:
    minutes = explorer.times_min
    for grid, route in zip(explorer.routes, ("topical", "ip", "bath"), strict=True):
        made = pharmacology.make_exposure(KETAMINE, route, grid.doses[4])
        expected = pharmacology.concentration(made, [explorer.soma_depth_um], minutes)[:, 0]
        np.testing.assert_allclose(grid.concentration_uM[4], expected, rtol=2e-3, atol=1e-9)
        assert grid.nmda_block[4][0] == 0.0


# What the emulator makes of it


def test_every_curve_is_near_the_known_neurons(
    explorer: Explorer, neuron: KnownNeuron, by_route: list[RouteEffects]
) -> None:
    control = neuron.expected(None)[:8]
    # The control's own runs are a sample of the known mean; the emulator is relative to them.
    level = np.array(explorer.control.rate_hz) / control
    peak = max(explorer.control.rate_hz)
    off = [
        explorer.curve(grid.route, dose, time) - neuron.expected(one.effects[i][j])[:8] * level
        for grid, one in zip(explorer.routes, by_route, strict=True)
        for i, dose in enumerate(grid.doses)
        for j, time in enumerate(explorer.times_min)
    ]
    assert np.sqrt(np.mean(np.square(off))) < 0.02 * peak
    assert np.abs(off).max() < 0.1 * peak
    assert explorer.accuracy.error_of_peak < 0.04


def test_before_the_drug_arrives_the_curve_is_the_controls(explorer: Explorer) -> None:
    for grid in explorer.routes:
        setting = explorer.setting(grid.route, grid.doses[-1], 0.0)
        np.testing.assert_allclose(setting.rate_hz, setting.control_rate_hz, rtol=0.01)
        assert setting.quantities["preferred_shift_deg"] == pytest.approx(0.0, abs=0.5)
        assert any("cannot be told from none" in remark for remark in setting.remarks)


def test_no_run_is_spent_on_settings_without_a_drug(
    neuron: KnownNeuron, by_route: list[RouteEffects]
) -> None:
    simulated = []

    class Watched(KnownNeuron):
        def counts(self, condition: Any, **options: Any) -> Any:
            if condition.effect is not None:
                simulated.append(condition.effect.nmda_block.max())
            return super().counts(condition, **options)

    budget = Budget(checks=4, design=8, most_design=8, seconds=1e9)
    explored(Watched(neuron.cell), by_route, CONTROL, budget=budget, seed=3, progress=NullProgress())
    assert len(simulated) >= 12
    assert min(simulated) > 0


def test_held_out_settings_are_spread_over_what_the_drug_does(
    neuron: KnownNeuron, by_route: list[RouteEffects]
) -> None:
    """Half of this grid blocks less than a fifth; an error measured mostly there would say nothing of the rest."""
    tested = []

    class Watched(KnownNeuron):
        def counts(self, condition: Any, *, trials: int, **options: Any) -> Any:
            if condition.effect is not None and trials > 8:  # a check; a point of the design is one block
                tested.append(condition.effect.nmda_block.mean())
            return super().counts(condition, trials=trials, **options)

    budget = Budget(checks=8, design=8, most_design=8, seconds=1e9)
    explored(Watched(neuron.cell), by_route, CONTROL, budget=budget, seed=3, progress=NullProgress())
    block = np.array([e.nmda_block.mean() for one in by_route for row in one.effects for e in row])
    assert np.median(block) < 0.2
    assert np.median(tested) > 0.5


def test_a_drug_that_does_nothing_here_is_refused(neuron: KnownNeuron, cell: Cell, drive: NmdaDrive) -> None:
    request = replace(REQUEST, at=("0 min",))
    grids = routes_of(KETAMINE, ("ip",), (), request)
    idle = effects_by_route(grids, [prepare(for_route(request, grids[0]), cell)], drive, NullProgress())
    with pytest.raises(InputError, match="none of these doses changes anything"):
        explored(neuron, idle, CONTROL, budget=Budget(), seed=0, progress=NullProgress())


# What is read back


def test_a_setting_has_its_place_in_the_grid(explorer: Explorer, document: dict[str, Any]) -> None:
    setting = explorer.setting("ip", 30.0, 10.0)
    grid = document["routes"][1]
    assert setting.dose_text == "30 mg/kg"
    assert setting.rate_hz.tolist() == grid["rate_hz"][6][1]
    assert setting.local_block.tolist() == grid["local_block"][6][1]
    assert setting.quantities["osi"] == grid["quantities"]["osi"][6][1]
    np.testing.assert_array_equal(setting.orientation_deg, THETA)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (("iv", 30.0, 10.0), "route 'iv' was not explored; there are topical, ip, bath"),
        (("ip", 31.0, 10.0), "dose of 31 mg/kg is not on the grid; the nearest is 30 mg/kg"),
        (("ip", 30.0, 12.0), "time of 12 min is not on the grid; the nearest is 10 min"),
    ],
)
def test_settings_off_the_grid(explorer: Explorer, where: tuple[str, float, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        explorer.setting(*where)


# The command


@pytest.fixture
def fit_directory(tmp_path: Path, inputs: Inputs, cell: Cell) -> Path:
    document = {
        "recording": {"orientation_deg": [0.0, 45.0, 90.0, 135.0], "window_s": 0.2},
        "kept_sets": [{"values": VALUES, "placement_seed": 2}],
        "settings": {
            "seed": 3,
            "effort": {"spiking_dt_ms": 0.1},
            "cell": {"model": str(inputs.model), "morphology": str(inputs.morphology)},
            "compartments_sha256": cell.table.sha256(),
            "drive": Drive().as_dict(),
        },
    }
    with result_directory(tmp_path / "fit", "fit") as folder:
        write_json(folder / "fit.json", document, "ketune-fit/1")
    return tmp_path / "fit"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--route", "nowhere"), "unknown route 'nowhere'"),
        (("--doses", "bath"), "write ROUTE=DOSES"),
        (("--at", "soon"), "--at 'soon'"),
        (("--drug", "cnqx", "--route", "ip"), "systemic.uM_per_mg_kg"),
        (("--drug", "nothing"), "nothing"),
    ],
)
def test_what_the_command_refuses_is_one_line(
    fit_directory: Path, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    before = sorted(path.name for path in fit_directory.iterdir())
    assert _console.run(cli.app, ["explore", str(fit_directory), *arguments]) == 2
    out, err = capfd.readouterr()
    *_, line = err.splitlines()
    assert (out, err.count("Error")) == ("", 1)
    assert message in line
    assert sorted(path.name for path in fit_directory.iterdir()) == before


def test_a_directory_without_a_fit(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _console.run(cli.app, ["explore", str(tmp_path)]) == 2
    assert "holds no fit" in capfd.readouterr().err


def test_an_explorer_of_a_newer_version(tmp_path: Path) -> None:
    write_json(tmp_path / "explorer.json", {}, EXPLORER_FORMAT.replace("/1", "/7"))
    with pytest.raises(InputError, match="explorer format 7, this ketune reads 1"):
        Explorer.read(tmp_path)


@pytest.mark.slow
def test_a_spiking_neuron_end_to_end(fit_directory: Path) -> None:
    budget = Budget(block_trials=8, pool_blocks=2, checks=2, check_blocks=2, design=6, most_design=6)
    request = DrugRequest(at=("0 min", "15 min"))
    options = {"routes": ("ip",), "doses": ("bath=1 uM, 10 uM, 100 uM",), "budget": budget}
    result = explore(fit_directory, request, **options)
    explorer = Explorer.read(fit_directory)
    assert [(r["route"], len(r["doses"])) for r in result["routes"]] == [("ip", 9), ("bath", 3)]
    assert explorer.accuracy.trials == 8 * (2 + 2 * 2 + 6)
    strong, none = explorer.setting("bath", 100.0, 15.0), explorer.setting("bath", 100.0, 0.0)
    assert strong.nmda_block > 0.8
    assert none.nmda_block == 0.0
    assert strong.rate_hz.max() < none.rate_hz.max()
    with pytest.raises(InputError, match="--overwrite"):
        explore(fit_directory, request, **options)
