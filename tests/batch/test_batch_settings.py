"""Configurations that cannot be used: one line with file, place and how to mend it."""

import re

import pytest

from ketune.batch import plan_batch
from ketune.errors import InputError


@pytest.mark.parametrize(
    ("lines", "tables", "message"),
    [
        (["sedes = [1]"], None, "sedes: unknown key; did you mean 'seeds'?"),
        (["seeds = []"], None, "seeds: "),
        (["seeds = [1, 1]"], None, "seeds: 1 is there twice; two jobs would write the same place"),
        (["seeds = [4294967296]"], None, "seeds.1: "),
        (['time_limit = "2 kg"'], None, "time_limit '2 kg': "),
        (['time_limit = "0 s"'], None, "time_limit: '0 s' is no time above 0"),
        (["attempts = 0"], None, "attempts: "),
        ([], "", "recording: missing; add it"),
        ([], "[[recording]]\n", "recording.1: say where it is with one of file, table and shipped"),
        ([], '[[recording]]\nfile = "nothing.csv"\n', "recording 1: there is no file "),
        ([], '[[recording]]\nfile = "*.nothing"\n', "recording 1: '*.nothing' matches no file in "),
        ([], '[[recording]]\nshipped = "mouse"\n', "recording 1: no shipped recording 'mouse'; there are "),
        ([], '[[recording]]\nfile = "cell.csv"\nnurone = "a"\n', "did you mean 'neuron'?"),
        (
            [],
            '[[recording]]\nfile = "cell.csv"\n[[recording]]\nfile = "./cell.csv"\n',
            "two jobs would write the same place: 'cell, seed 1'",
        ),
        (
            [],
            '[[recording]]\nfile = "cell.csv"\n[fit]\neffort = "huge"\n',
            "'cell, seed 1': effort 'huge' is not known",
        ),
        (
            [],
            '[[recording]]\nfile = "cell.csv"\n[fit]\ncheck_trials = 1\n',
            "check_trials: 1 is too few; give at least 2",
        ),
        (
            [],
            '[[recording]]\nfile = "cell.csv"\n[fit]\nefort = "quick"\n',
            "fit.efort: unknown key; did you mean 'effort'?",
        ),
        (
            [],
            '[[recording]]\nfile = "cell.csv"\n[[hypothesis]]\nname = "a"\ntargets = "nmda"\n',
            "hypothesis 'a' says what a drug may act on, but no [[apply]] gives one",
        ),
        (
            [],
            '[[recording]]\nfile = "cell.csv"\n[[apply]]\ndrug = "ketamine"\nrotue = "bath"\n',
            "apply.1.rotue: unknown key; did you mean 'route'?",
        ),
        (
            [],
            '[[recording]]\nfile = "cell.csv"\n[[apply]]\ndrug = "ketamine"\ndose = "10 mg/ml"\n',
            "apply 'ketamine': --at: give at least one time",
        ),
        (
            [],
            '[[recording]]\nfile = "cell.csv"\n[[model]]\nmorphology = "tree.swc"\n',
            "model 'default': ",
        ),
        (
            [],
            '[[recording]]\nfile = "cell.csv"\nwith = "ketamine"\n',
            "'cell, seed 1': --with: 'ketamine' is neither a condition of ",
        ),
    ],
)
def test_one_line_that_says_what_where_and_how_to_mend(configure, lines, tables, message):
    path = configure(*lines) if tables is None else configure(*lines, tables=tables)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        plan_batch(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_wrong_row_of_a_table_is_named(configure, tmp_path):
    (tmp_path / "cells.csv").write_text("file,fold\ncell.csv,no\ncell.csv,maybe\n")
    with pytest.raises(InputError, match=r"cells\.csv, row 3: fold: 'maybe' is neither true nor false"):
        plan_batch(configure(tables='[[recording]]\ntable = "cells.csv"\n'))
    (tmp_path / "cells.csv").write_text("file,window_s\ncell.csv,2\n")
    with pytest.raises(InputError, match=r"row 2: window_s: unknown key"):
        plan_batch(configure(tables='[[recording]]\ntable = "cells.csv"\n'))
