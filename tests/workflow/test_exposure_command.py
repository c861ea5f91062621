"""`ketune exposure`: what it answers, what it writes, what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from ketune import _console, cli
from ketune.pharmacology import CORTEX_UM


def answer(capfd: pytest.CaptureFixture[str], *arguments: object) -> dict:
    assert _console.run(cli.app, ["exposure", *(str(a) for a in arguments), "--json"]) == 0
    return json.loads(capfd.readouterr().out)


def test_json_holds_concentration_and_effects_by_route_time_and_depth(
    capfd: pytest.CaptureFixture[str],
) -> None:
    got = answer(
        capfd, "--route", "ip", "--dose", "30 mg/kg", "--at", "15 min", "--at", "1 h", "--depth", "100 um"
    )
    assert got["status"] == "ok"
    assert got["times_min"] == [15.0, 60.0]
    assert got["depth_um"] == [100.0, 300.0]
    assert got["main_time_min"] == 15.0
    (entry,) = got["routes"]
    assert entry["concentration_uM"][0] == pytest.approx([2.36, 2.36], abs=0.01)
    assert len(entry["effects"]["nmda_block"]) == 2
    assert 0.3 < entry["effects"]["nmda_block"][0][0] < 0.4
    made = entry["metabolites"]["norketamine"]
    assert made["nmda_equivalent_uM"][0][0] == pytest.approx(0.156 * made["concentration_uM"][0][0])
    assert any("assumed share" in note for note in entry["notes"])
    assert any("systemic.norketamine_fraction" in line for line in got["cautions"])


def test_text_marks_the_target(capfd: pytest.CaptureFixture[str]) -> None:
    assert (
        _console.run(cli.app, ["exposure", "--route", "topical", "--dose", "1 mM", "--soma-depth", "250 um"])
        == 0
    )
    lines = capfd.readouterr().out.splitlines()
    marked = [line for line in lines if line.endswith("target")]
    assert [line.split()[1] for line in marked] == ["250"] * 3
    assert "ten-fold" in lines[-1]


def test_routes_compared_are_equal_at_the_target_and_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    got = answer(
        capfd, "--route", "focal-pressure", "--dose", "10 mM", "--at", "5 min", "--at", "20 min",
        "--soma-depth", "350 um", "--set", "focal.volume=2 nl", "--compare", "-o", tmp_path / "out",
    )  # fmt: skip
    assert [entry["route"] for entry in got["routes"]] == ["focal-pressure", "topical", "ip"]
    i, j = got["times_min"].index(got["main_time_min"]), got["depth_um"].index(350.0)
    blocks = [entry["effects"]["nmda_block"][i][j] for entry in got["routes"]]
    assert blocks == pytest.approx([blocks[0]] * 3, rel=1e-6)
    assert blocks[0] > 0.05
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "exposure.csv", "exposure.json", "exposure.png", "ketune.json",
    ]  # fmt: skip
    assert (tmp_path / "out" / "exposure.png").read_bytes()[:4] == b"\x89PNG"
    with open(tmp_path / "out" / "exposure.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["route"] for row in rows} == {"focal-pressure", "topical", "ip"}
    there = [r for r in rows if float(r["depth_um"]) == 350.0 and float(r["time_min"]) == 20.0]
    assert [float(r["nmda_block"]) for r in there] == pytest.approx(blocks, rel=1e-4)
    stored = json.loads((tmp_path / "out" / "exposure.json").read_text())
    assert stored["format"] == "ketune-exposure/1"
    assert "versions" in stored["provenance"] or stored["provenance"]


def test_a_pipette_is_put_at_the_target_unless_told_otherwise(capfd: pytest.CaptureFixture[str]) -> None:
    base = ("--route", "focal-iontophoresis", "--dose", "10 nA", "--at", "5 min", "--soma-depth", "500 um")
    for more, deepest in (((), 500.0), (("--set", "focal.depth=200 um"), 200.0)):
        got = answer(capfd, *base, *more)
        free = got["routes"][0]["concentration_uM"][0]
        assert got["depth_um"][free.index(max(free))] == deepest


def test_table_of_the_user(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "measured.csv"
    table.write_text("time_min,depth_um,concentration_uM\n0,0,8\n0,400,2\n20,0,4\n20,400,1\n")
    got = answer(capfd, "--route", "table", "--table", table, "-o", tmp_path / "out")
    assert got["times_min"] == [10.0]
    assert got["depth_um"] == [0.0, 100.0, 200.0, 300.0, 400.0]
    assert got["routes"][0]["concentration_uM"][0] == pytest.approx([6.0, 4.875, 3.75, 2.625, 1.5])
    compared = answer(capfd, "--route", "table", "--table", table, "--compare")
    assert [entry["route"] for entry in compared["routes"]] == [
        "table",
        "topical",
        "focal-iontophoresis",
        "ip",
    ]


GOOD = ("--route", "topical", "--dose", "10 mg/ml")
INJECTED = ("--route", "ip", "--dose", "30 mg/kg")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dose", "10 mg/ml"), "a dose needs a route: give --route, one of topical (uM)"),
        (("--route", "topical"), "route topical needs a dose"),
        (("--route", "oral", "--dose", "1 uM"), "unknown route 'oral'"),
        (("--route", "ip", "--dose", "10 mg/ml"), "not a dose per body weight"),
        (("--route", "bath", "--dose", "30 mg/kg"), "not a concentration"),
        (("--route", "bath", "--dose", "-5 uM"), "negative"),
        ((*GOOD, "--at", "30 min", "--at", "10 min"), "--at '10 min' does not come after '30 min'"),
        ((*GOOD, "--at", "10 min", "--at", "10 min"), "does not come after"),
        ((*GOOD, "--depth", "2.5 mm"), "--depth 2.5 mm lies outside the cortex"),
        ((*GOOD, "--depth=-5 um"), "negative"),
        ((*GOOD, "--soma-depth", "3 mm"), "outside the cortex"),
        ((*GOOD, "--soma-depth", "0 um"), "topical.soma_depth"),
        ((*GOOD, "--n-doses", "3", "--every", "24 h"), "route topical takes one dose"),
        ((*GOOD, "--table", "x.csv"), "--table belongs to the route table"),
        ((*GOOD, "--set", "topical.diffusion"), "write NAME=VALUE"),
        ((*GOOD, "--set", "topical.difusion=1 um^2/s"), "unknown parameter 'topical.difusion'"),
        ((*GOOD, "--set", "topical.diffusion=1 um"), "does not measure"),
        ((*GOOD, "--set", "topical.retention=much"), "not a number"),
        ((*GOOD, "--at", "0 min", "--compare"), "brings no drug to 300 um by 0 min"),
        (("--route", "table", "--table", "gone.csv"), "gone.csv"),
        (("--drug", "gabazine", *GOOD), "is not known"),
        (("--route", "bath", "--dose", "1e300 M"), "--dose '1e300 M': no solution is stronger than 100 M"),
        (("--route", "ip", "--dose", "1e300 mg/kg"), "that is more than the body weighs"),
        (("--route", "focal-iontophoresis", "--dose", "1 A"), "no pipette passes more than 1 mA"),
        ((*INJECTED, "--n-doses", "1000000000", "--every", "1 min"), "give 1000 or fewer"),
        ((*INJECTED, "--at", "1e300 min"), "time of 1e+300 min: give at most 5e+06 min"),
        ((*GOOD, "--lateral-distance", "-5000 um"), "farther than 564 um from its edge"),
        ((*GOOD, "--lateral-distance", "1e300 um"), "topical.lateral_distance = 1e+300 um is beyond"),
        ((*GOOD, "--set", "topical.diffusion=1e300 um^2/s"), "check its unit"),
        ((*GOOD, "--set", "topical.area=1e300 mm^2"), "check its unit"),
        ((*GOOD, "--set", "pyramid.v_bar=-1e5 mV"), "no finite nmda_block comes of these numbers"),
        ((*GOOD, "--set", "hcn1.ec50=67"), "has no unit; write for example '5 uM'"),
        ((*GOOD, "--set", "topical.soma_depth=3 mm"), "topical.soma_depth 3000 um lies outside the cortex"),
        ((*GOOD, "--at", ""), "an empty argument after --at: give a value"),
        ((*GOOD, "--drug="), "an empty argument after --drug: give a value"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert CORTEX_UM == 2000.0
    code = _console.run(cli.app, ["exposure", *arguments, "-o", str(tmp_path / "out")])
    out, err = capfd.readouterr()
    assert code == 2, err
    assert out == ""
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert message in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("exposure", *GOOD, "-o", ""), "an empty argument after -o: give a value"),
        (("exposure", *GOOD, "--overwrite"), "--overwrite needs --output"),
        (("verify", "--biology", "-o", " "), "an empty argument after -o: give a value"),
        (("verify", "--biology", "--overwrite"), "--overwrite needs --output"),
        (
            ("verify", "--biology", "--engine", "gpu"),
            "Invalid value for '--engine': 'gpu' is not one of 'auto'",
        ),
        (("drugs", "show", ""), "an empty argument: give a value"),
    ],
)
def test_a_command_without_a_place_or_a_value_writes_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _console.run(cli.app, arguments) == 2
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err
    assert list(tmp_path.iterdir()) == []
