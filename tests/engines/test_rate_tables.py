"""Rate tables against the functions they stand for, on a grid much finer than they are checked on."""

import numpy as np
import pytest

from ketune.engines._rate_tables import DEGREES, PIECES, SPARE, RANGE_mV, alike, degree_of, tables

ITEMSIZES = pytest.mark.parametrize("itemsize", [4, 8])
# Of the largest value in the same piece.
WITHIN = {4: 4e-7, 8: 2e-12}


def logistic(v):
    return 1.0 / (1.0 + np.exp(-(v + 37.3) / 7.1))


def bell(v):
    return 3.0 / (np.exp((v + 50.0) / 14.0) + np.exp(-(v + 50.0) / 20.0)) + 0.5


def kinked(v):
    """A time constant with a lowest value."""
    return np.maximum(bell(v), 1.3)


def jumping(v, at=-33.217):
    return np.where(v < at, 0.3, logistic(v))


def pole(v):
    with np.errstate(divide="ignore"):
        return 1.0 / (v + 41.77)


def table_of(function, itemsize, **options):
    (found,) = tables(lambda v: function(v)[None], itemsize, **options)
    return found


def evaluated(table, v):
    """Horner's rule in the table's own precision, as the kernel has it; and the piece of each voltage."""
    degree, broken = degree_of(table)
    low, high = RANGE_mV
    n = table.shape[1] - SPARE
    x = (v - low) * (n / (high - low))
    piece = np.minimum(x.astype(int), n - 1)
    t = (2.0 * (x - piece) - 1.0).astype(table.dtype)
    used = piece
    if broken:
        kink, spare = table[degree + 1], table[degree + 2].view(f"i{table.itemsize}")
        used = np.where(v.astype(table.dtype) < kink[piece], piece, spare[piece])
    y = table[0][used]
    for level in table[1 : degree + 1]:
        y = y * t + level[used]
    return y, piece


def dense(n=200_001):
    low, high = RANGE_mV
    return np.linspace(low, high, n)[:-1]


def worst(function, table, away_from=()):
    """Largest error, of the largest value in its piece."""
    v = dense()
    for at in away_from:  # in single precision a voltage may lie on the other side of a jump
        v = v[np.abs(v - at) > 1e-4]
    found, piece = evaluated(table, v)
    exact = function(v)
    largest = np.zeros(table.shape[1])
    np.maximum.at(largest, piece, np.abs(exact))
    return np.max(np.abs(found - exact) / largest[piece])


@ITEMSIZES
@pytest.mark.parametrize("function", [logistic, bell, np.exp, lambda v: np.exp(-v / 9.0), np.ones_like])
def test_a_smooth_rate(function, itemsize):
    scaled = function if function is not np.exp else lambda v: np.exp(v / 25.0)
    table = table_of(scaled, itemsize)
    degree, broken = degree_of(table)
    assert table.shape == (degree + 1, PIECES[itemsize])
    assert degree in DEGREES[itemsize]
    assert not broken
    assert worst(scaled, table) < WITHIN[itemsize]


@ITEMSIZES
def test_a_kink(itemsize):
    table = table_of(kinked, itemsize)
    degree, broken = degree_of(table)
    assert broken
    assert table.shape == (degree + 4, PIECES[itemsize])
    assert worst(kinked, table) < WITHIN[itemsize]


@ITEMSIZES
def test_a_jump(itemsize):
    table = table_of(jumping, itemsize)
    assert degree_of(table)[1]
    kinks = table[-3]
    assert np.min(np.abs(kinks + 33.217)) < 1e-5
    assert worst(jumping, table, away_from=[-33.217]) < WITHIN[itemsize]


@ITEMSIZES
@pytest.mark.parametrize("beyond_mV", [1e-6, 1e-3, 0.02, 0.3])
@pytest.mark.parametrize("edge_mV", [-30.0, -60.0])
def test_a_break_close_to_the_edge_of_a_piece(itemsize, edge_mV, beyond_mV):
    """Where it falls between the points of the check: a right table or none, never a wrong one."""
    for at in (edge_mV - beyond_mV, edge_mV + beyond_mV):

        def jump(v, at=at):
            return jumping(v, at)

        def kink(v, at=at):
            return logistic(v) + np.maximum(v - at, 0.0)

        span = max(beyond_mV, 1e-4)
        near = np.linspace(at - span, at + span, 4001)
        for function in (jump, kink):
            table = table_of(function, itemsize)
            if table is None:
                continue
            v = near[np.abs(near - at) > (1e-5 if itemsize == 4 else 1e-9)]
            found, _ = evaluated(table, v)
            assert np.max(np.abs(found - function(v))) < 10 * WITHIN[itemsize]


@ITEMSIZES
@pytest.mark.parametrize(
    "function",
    [pole, lambda v: np.sin(20.0 * v), lambda v: np.floor(v), lambda v: np.full(v.shape, np.nan)],
    ids=["a pole", "too quick", "many jumps", "not a number"],
)
def test_what_has_no_table(function, itemsize):
    assert table_of(function, itemsize) is None


@ITEMSIZES
def test_several_rates_at_once(itemsize):
    found = tables(lambda v: np.stack([logistic(v), pole(v), bell(v)]), itemsize)
    assert found[1] is None
    for function, table in ((logistic, found[0]), (bell, found[2])):
        np.testing.assert_array_equal(table, table_of(function, itemsize))


@ITEMSIZES
def test_derivatives_need_less(itemsize):
    """What reverse mode sums up may be a few times less accurate, never more."""
    assert worst(bell, table_of(bell, itemsize, slopes=True)) < 10 * WITHIN[itemsize]


@ITEMSIZES
def test_tables_of_one_form(itemsize):
    """A smooth table beside a broken one, or of a lower degree, is the same function as before."""
    functions = (logistic, kinked, np.ones_like)
    own = [table_of(f, itemsize) for f in functions]
    together = alike(own)
    assert together.shape[0] == 3
    assert degree_of(together[0])[1]
    for function, one, other in zip(functions, own, together, strict=True):
        v = dense(20_001)
        np.testing.assert_array_equal(evaluated(one, v)[0], evaluated(other, v)[0])
        assert worst(function, other) < WITHIN[itemsize]
