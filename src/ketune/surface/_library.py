"""Where response surfaces come from: shipped with the package, in the user's cache, or built now."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

import numpy as np

from ketune._compiled import cache_root
from ketune.cell import Cell
from ketune.errors import InputError
from ketune.progress import NullProgress, Progress
from ketune.surface._build import SurfaceEffort, build_surface
from ketune.surface._measure import measured
from ketune.surface._surface import FORMAT, Surface

_LONGEST_WAIT_S = 3600.0
_DIGITS = 6
# The default cell, the same under a drug's actions, and its mechanisms on the small morphology.
DEFAULT, ACTING, SECOND = "cat_v1_l23", "cat_v1_l23_actions", "small_pyramidal"


def surface_key(cell: Cell) -> str:
    """Hash of all that a cell's response depends on: geometry, mechanisms' texts, where they sit, their parameters."""
    digest = hashlib.sha256(FORMAT.encode())
    digest.update(cell.table.sha256().encode())
    digest.update(repr((sorted(cell.ports.items()), cell.celsius, cell.v_init_mV)).encode())
    digest.update(repr((sorted(cell.reversal_mV.items()), sorted(cell.concentration_mM.items()))).encode())
    for placement in cell.placements:
        digest.update(f"{placement.label} {placement.mechanism.sha256}".encode())
        digest.update(np.asarray(placement.compartments, np.int64).tobytes())
        for name, values in sorted(placement.parameters.items()):
            # Balanced leaks are computed: their last digits may differ between machines.
            digest.update(f"{name} {' '.join(f'{x:.{_DIGITS}g}' for x in values)}".encode())
    return digest.hexdigest()[:24]


def shipped(name: str = DEFAULT) -> Path:
    """A response surface that comes with the package; that of the default cell if not said otherwise."""
    return Path(str(resources.files("ketune") / "data" / "surfaces" / f"{name}.npz"))


def known_surface(cell: Cell) -> Surface | None:
    """The response surface of a cell, shipped or in the cache; None where it would have to be built."""
    key = surface_key(cell)
    for name in (DEFAULT, SECOND):
        if shipped(name).exists() and (surface := Surface.load(shipped(name))).made.get("key") == key:
            return surface
    file = _cached(key)
    return Surface.load(file) if file.exists() else None


def acting_surface(cell: Cell) -> Surface:
    """The response surface of the default cell that takes a drug's actions on its channels too.

    Raises
    ------
    InputError
        Another cell, for which none is shipped.
    """
    if shipped(ACTING).exists() and (surface := Surface.load(shipped(ACTING))).made.get("key") == surface_key(
        cell
    ):
        return surface
    raise InputError(
        f"cell '{cell.name}': no response surface with a drug's actions comes with it; "
        "use the default cell, or make one with benchmarks/action_surface.py"
    )


def _cached(key: str) -> Path:
    return cache_root() / "surfaces" / f"{key}.npz"


def surface_of(
    cell: Cell, *, engine: str = "auto", effort: SurfaceEffort | None = None, progress: Progress | None = None
) -> Surface:
    """The response surface of a cell: the shipped one, the one in the cache, or a new one, which takes minutes.

    A build that was interrupted goes on where it was.

    Raises
    ------
    InputError
        The cache cannot be written.
    """
    import filelock

    if (known := known_surface(cell)) is not None:
        return known
    progress, key = progress or NullProgress(), surface_key(cell)
    file = _cached(key)
    folder = file.parent
    trials = folder / f"{key}-trials"
    try:
        trials.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(folder / f"{key}.lock", timeout=_LONGEST_WAIT_S):
            if file.exists():
                return Surface.load(file)
            surface = build_surface(cell, effort, engine=engine, kept=trials, progress=progress)
            surface = measured(surface, cell, engine=engine, progress=progress)
            surface.made["key"] = key
            surface.save(file)
            for part in trials.glob("*.npz"):
                part.unlink()
            trials.rmdir()
            return surface
    except filelock.Timeout:
        raise InputError(
            f"{folder}: another process has been building this cell's response surface for an hour; "
            "stop it and try again"
        ) from None
    except OSError as error:
        raise InputError(
            f"{folder}: cannot keep response surfaces here ({error.strerror}); "
            "set KETUNE_CACHE_DIR to a writable directory"
        ) from None
