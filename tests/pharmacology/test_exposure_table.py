"""A user's own table of concentrations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator

from ketune.errors import InputError
from ketune.pharmacology import Table, concentration, load_drug, make_exposure

HEAD = "time_min,depth_um,concentration_uM\n"
GOOD = HEAD + "".join(f"{t},{d},{t * 2 + d / 100}\n" for t in (5, 10, 30) for d in (0, 200, 600))


def read(tmp_path, text, **arguments):
    path = tmp_path / "table.csv"
    path.write_text(text)
    return make_exposure(load_drug(), "table", table=path, **arguments)


def test_values_between_and_before(tmp_path):
    table = read(tmp_path, GOOD)
    got = concentration(table, [0.0, 100.0, 600.0], [-1.0, 4.9, 5.0, 20.0, 30.0])
    np.testing.assert_array_equal(got[:2], 0.0)
    np.testing.assert_allclose(got[2:], [[10.0, 11.0, 16.0], [40.0, 41.0, 46.0], [60.0, 61.0, 66.0]])


def test_order_of_rows_and_columns_has_no_meaning(tmp_path):
    lines = GOOD.splitlines()
    shuffled = "depth_um, time_min ,note,concentration_uM\n" + "\n".join(
        "{1},{0},x,{2}".format(*line.split(",")) for line in sorted(lines[1:], reverse=True)
    )
    a, b = read(tmp_path, GOOD), read(tmp_path, shuffled)
    np.testing.assert_array_equal(a.concentration_uM, b.concentration_uM)
    np.testing.assert_array_equal(a.time_min, b.time_min)


def test_a_table_may_have_drug_before_zero(tmp_path):
    table = read(tmp_path, HEAD + "-10,0,4\n0,0,2\n")
    np.testing.assert_allclose(
        concentration(table, [0.0], [-11.0, -10.0, -5.0, 0.0])[:, 0], [0.0, 4.0, 3.0, 2.0]
    )


@given(st.lists(st.floats(0.0, 1e4), min_size=12, max_size=12), st.floats(0.0, 20.0), st.floats(50.0, 400.0))
def test_bilinear_as_scipy(values, t, z):
    times, depths = np.array([0.0, 1.0, 7.0, 20.0]), np.array([50.0, 130.0, 400.0])
    grid = np.reshape(values, (4, 3))
    got = concentration(Table(times, depths, grid, "t"), [z], [t])[0, 0]
    assert got == pytest.approx(float(RegularGridInterpolator((times, depths), grid)([[t, z]])[0]), abs=1e-9)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "time_min,depth_um\n1,2\n",
            "no column 'concentration_uM'; the first line must be time_min,depth_um",
        ),
        (HEAD, "no rows"),
        (HEAD + "1,0,x\n", "line 2, concentration_uM: 'x' is not a number"),
        (HEAD + "1,0,2\n2,0\n", "line 3, concentration_uM: '' is not a number"),
        (HEAD + "1,0,nan\n", "not a finite number"),
        (HEAD + "1,0,-2\n", "line 2: concentration of -2 uM is negative"),
        (HEAD + "1,-5,2\n", "depth of -5 um lies above the pia"),
        (HEAD + "1,0,2\n1.0,0,3\n", "line 3: 1 min, 0 um is there twice"),
        (HEAD + "1,0,2\n1,9,3\n2,0,4\n", "no row for 2 min, 9 um"),
        ("", "no column 'time_min'"),
        ("time_min," + HEAD + "0,1,0,2\n", "two columns 'time_min'"),
        (HEAD + "1,0,2,5\n", "line 2: 4 numbers under 3 columns; write decimal points"),
        (HEAD + "1,0,1e308\n", "line 2: concentration of 1e+308 uM is above 1e+08 uM"),
        (HEAD + "1,0," + 200_000 * "1" + "\n", "line 2: field larger than field limit"),
    ],
)
def test_faulty_table_is_one_line(tmp_path, text, says):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert says in str(caught.value)
    assert "table.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_is_known_outside(tmp_path):
    table = read(tmp_path, GOOD)
    with pytest.raises(InputError, match=r"covers depths of 0 to 600 um, and 601 um is needed"):
        concentration(table, [601.0], [10.0])
    with pytest.raises(InputError, match=r"ends at 30 min, and 31 min is needed"):
        concentration(table, [0.0], [31.0])


def test_no_file_and_a_dose_too_many(tmp_path):
    with pytest.raises(InputError, match=r"gone\.csv: No such file"):
        make_exposure(load_drug(), "table", table=tmp_path / "gone.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a text file"):
        make_exposure(load_drug(), "table", table=tmp_path / "b.csv")
    with pytest.raises(InputError, match="leave out the dose '5 uM'"):
        read(tmp_path, GOOD, dose="5 uM")
