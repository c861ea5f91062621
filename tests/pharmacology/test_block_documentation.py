"""The table of docs/nmda-block.md is what the code computes."""

from pathlib import Path

import numpy as np
import pytest

from ketune.pharmacology import equilibrium_block, kinetic_block, load_drug, markov_block

PAGE = (Path(__file__).parents[2] / "docs" / "nmda-block.md").read_text(encoding="utf-8")
RATES = ("nmda.k_on", "nmda.k_esc")
P = load_drug("ketamine").values()


def rows():
    lines = PAGE[PAGE.index("| Hz, mV | without rates") :].splitlines()[2:]
    for line in lines[: lines.index("")]:
        where, *numbers = [cell.strip() for cell in line.strip("|").split("|")]
        rate, v = (float(x.replace("−", "-")) for x in where.split(","))
        yield rate, v, [float(x) for x in numbers[:7]]


def test_table_of_steady_block_and_onset():
    found = list(rows())
    assert len(found) == 8
    seconds = np.concatenate([[0.0], np.geomspace(0.05, 3e4, 800)])
    unknown = {name: value for name, value in P.items() if name not in RATES}
    for rate, v, printed in found:
        at = (v, rate, P, {"2A": 1.0})
        held = (seconds / 60.0, np.full((seconds.size, 1), 4.0), *at)
        courses = [kinetic_block(*held)[:, 0], markov_block(*held)[:, 0]]
        lost = markov_block(*held, measure="conductance")[-1, 0]
        steady = [
            float(equilibrium_block(4.0, v, rate, unknown, {"2A": 1.0})),
            float(equilibrium_block(4.0, *at)),
            *(course[-1] for course in courses),
            lost,
        ]
        np.testing.assert_allclose(steady, printed[:5], atol=5.1e-4)
        for course, t63 in zip(courses, printed[5:], strict=True):
            assert np.interp(course[-1] * (1.0 - np.exp(-1.0)), course, seconds) == pytest.approx(
                t63, rel=0.01
            )
