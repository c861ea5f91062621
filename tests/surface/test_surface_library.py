"""Where surfaces come from: built once for each cell, kept, and found again."""

from dataclasses import replace

import numpy as np
import pytest

from ketune.cell_model import build_cell
from ketune.errors import InputError
from ketune.morphology import SMALL_MORPHOLOGY, read_morphology
from ketune.surface import _library as library
from ketune.surface import surface_key, surface_of


@pytest.fixture
def built(monkeypatch, tmp_path, made_up_surface):
    """An empty cache and a build that is instant; gives the list of builds (what was kept at their beginning)."""
    monkeypatch.setenv("KETUNE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(library, "shipped", lambda name=library.DEFAULT: tmp_path / f"{name}.npz")
    builds = []

    def build(cell, effort, *, engine, kept, progress):
        builds.append(sorted(f.name for f in kept.iterdir()))
        (kept / f"trials-{len(builds)}.npz").write_bytes(b"trials")
        return replace(made_up_surface, made={})

    monkeypatch.setattr(library, "build_surface", build)
    monkeypatch.setattr(library, "measured", lambda surface, cell, **_: surface)
    return builds


def test_built_once(built, tiny_cell, tmp_path):
    first = surface_of(tiny_cell)
    again = surface_of(tiny_cell)
    assert len(built) == 1
    assert first.made == again.made == {"key": surface_key(tiny_cell)}
    np.testing.assert_array_equal(first.weights[0][0], again.weights[0][0])
    left = {f.name for f in (tmp_path / "cache" / "surfaces").iterdir()}
    assert left - {f"{surface_key(tiny_cell)}.lock"} == {f"{surface_key(tiny_cell)}.npz"}


def test_an_interrupted_build_finds_its_trials(built, tiny_cell, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(library, "measured", interrupted)
        with pytest.raises(KeyboardInterrupt):
            surface_of(tiny_cell)
    surface_of(tiny_cell)
    assert built == [[], ["trials-1.npz"]]


def test_the_shipped_surface_is_taken_for_its_cell_only(built, tiny_cell, made_up_surface):
    shipped = replace(made_up_surface, made={"key": surface_key(tiny_cell), "from": "package"})
    shipped.save(library.shipped())
    assert surface_of(tiny_cell).made["from"] == "package"
    assert built == []
    surface_of(replace(tiny_cell, celsius=tiny_cell.celsius + 1))
    assert built == [[]]


def test_a_damaged_file_in_the_cache(built, tiny_cell, tmp_path):
    surface_of(tiny_cell)
    file = tmp_path / "cache" / "surfaces" / f"{surface_key(tiny_cell)}.npz"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"is no response surface .*remove it"):
        surface_of(tiny_cell)
    file.unlink()
    surface_of(tiny_cell)
    assert len(built) == 2


def test_a_cache_that_cannot_be_written(built, tiny_cell, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(InputError, match=r"cannot keep response surfaces here .*KETUNE_CACHE_DIR"):
        surface_of(tiny_cell)
    assert built == []


def changed(cell, at, **parameters):
    """The cell with other parameters of one of its mechanisms."""
    placements = list(cell.placements)
    own = placements[at]
    placements[at] = replace(own, parameters={**own.parameters, **parameters})
    return replace(cell, placements=tuple(placements))


def test_the_key_is_that_of_the_physiology(tiny_cell):
    key = surface_key(tiny_cell)
    same = build_cell(morphology=read_morphology(SMALL_MORPHOLOGY), d_lambda=1.0)
    assert surface_key(same) == key
    others = [
        build_cell(morphology=read_morphology(SMALL_MORPHOLOGY), d_lambda=0.5),
        replace(tiny_cell, celsius=tiny_cell.celsius + 0.1),
        replace(tiny_cell, v_init_mV=tiny_cell.v_init_mV + 1),
        replace(tiny_cell, reversal_mV={k: v + 1 for k, v in tiny_cell.reversal_mV.items()}),
    ]
    at, name = next((i, n) for i, p in enumerate(tiny_cell.placements) for n in p.parameters)
    values = np.asarray(tiny_cell.placements[at].parameters[name], float)
    others.append(changed(tiny_cell, at, **{name: values * 1.01 + 1e-3}))
    keys = [key, *map(surface_key, others)]
    assert len(set(keys)) == len(keys)
    # The last digits of computed parameters differ between machines.
    assert surface_key(changed(tiny_cell, at, **{name: values * (1 + 1e-12)})) == key
