"""Protocols: reading, times, phases."""

import re
from pathlib import Path

import numpy as np
import pytest

from ketune.errors import InputError
from ketune.pharmacology import PHASES, concentration, phase_times, phases, read_protocol

GOOD = """
name = "two injections and a paper"
[[dose]]
route = "ip"
dose = "30 mg/kg"
every = "60 min"
n_doses = 2
[[dose]]
route = "topical"
dose = "10 mg/ml"
at = "20 min"
remove = "35 min"
[[look]]
at = "5 min"
[[look]]
at = "30 min"
name = "both"
contrast = 0.5
orientation_deg = [0.0, 90.0]
"""


def protocol(tmp_path, text):
    path = tmp_path / "p.toml"
    path.write_text(text)
    return read_protocol(path)


def test_a_protocol_becomes_administrations(tmp_path):
    read = protocol(tmp_path, GOOD)
    injected, paper = read.administrations({}, tmp_path)
    assert read.times_min() == [5.0, 30.0]
    assert (injected.start_min, paper.start_min) == (0.0, 20.0)
    assert paper.exposure.paper_min == pytest.approx(15.0)
    times = np.array([59.0, 66.0])
    first, second = concentration(injected.exposure, [300.0], times)[:, 0]
    assert second > 5 * first
    assert read.look[1].contrast == 0.5


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('route = "ip"', 'rout = "ip"', "dose.1.rout"),
        ('at = "30 min"', 'at = "3 min"', "look: at '3 min' does not come after '5 min'"),
        ('at = "30 min"', 'at = "30 um"', "look 2: at"),
        ("contrast = 0.5", "contrast = 50", "look.2.contrast"),
        ("n_doses = 2", "n_doses = 0", "dose.1.n_doses"),
        ('remove = "35 min"', 'remove = "10 min"', "paper_minutes"),
        ('route = "ip"', 'route = "topical"', "dose"),
    ],
)
def test_a_faulty_protocol_is_one_line(tmp_path, old, new, says):
    def use():
        read = protocol(tmp_path, GOOD.replace(old, new, 1))
        read.times_min()
        read.administrations({}, tmp_path)

    with pytest.raises(InputError) as caught:
        use()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_papers_at_once_are_refused(tmp_path):
    text = """
[[dose]]
route = "topical"
dose = "10 mg/ml"
[[dose]]
route = "topical"
dose = "10 mg/ml"
at = "20 min"
[[look]]
at = "30 min"
"""
    with pytest.raises(
        InputError, match="a second paper is laid at 20 min while the first lies until 30 min"
    ):
        protocol(tmp_path, text).administrations({}, tmp_path)
    later = text.replace('at = "20 min"', 'at = "40 min"')
    assert len(protocol(tmp_path, later).administrations({}, tmp_path)) == 2


@pytest.mark.parametrize(("text", "says"), [("", "dose"), ("[[dose]]\nroute = 1", "dose"), ("=", "TOML")])
def test_no_protocol(tmp_path, text, says):
    with pytest.raises(InputError, match=says):
        protocol(tmp_path, text)


def test_phases_of_a_rise_and_fall():
    t = np.linspace(0.0, 100.0, 1001)
    c = np.where(t < 20, t / 20, np.exp(-(t - 20) / 10))
    found = phase_times(t, c)
    assert list(found) == list(PHASES[1:])
    assert found["wash-in"] == pytest.approx(10.0, abs=0.1)
    assert found["steady"] == pytest.approx(20.0, abs=0.1)
    assert found["wash-out"] == pytest.approx(20 + 10 * np.log(2), abs=0.2)
    assert found["recovery"] == pytest.approx(20 + 10 * np.log(20), abs=0.2)
    assert phases([-1.0, 10.0, 20.0, 27.0, 90.0], t, c) == [
        "control",
        "wash-in",
        "steady",
        "wash-out",
        "recovery",
    ]


def test_a_bath_is_steady_from_the_start_and_never_washes_out():
    t = np.concatenate([[-1.0, -1e-3], np.geomspace(1e-3, 100.0, 100)])
    c = np.where(t > 0, 5.0, 0.0)
    assert phases([-0.5, 1.0, 99.0], t, c) == ["control", "steady", "steady"]
    assert set(phase_times(t, c)) <= {"wash-in", "steady"}


def test_no_drug_has_no_phases():
    with pytest.raises(InputError, match="no drug reaches the soma"):
        phase_times(np.arange(3.0), np.zeros(3))


def test_the_protocol_of_the_documentation_can_be_used(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
    example = re.search(r"```toml\n(name = .*?)```", page, re.DOTALL)[1]
    read = protocol(tmp_path, example)
    paper, injection = read.administrations({}, tmp_path)
    assert (paper.exposure.paper_min, injection.start_min) == (20.0, 60.0)
    assert read.times_min() == [15.0, 70.0]
    assert read.look[1].trials == 80
