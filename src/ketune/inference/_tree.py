"""A posterior on disk: an xarray DataTree with ArviZ's groups in one netCDF4 file.

Groups: ``posterior``, ``sample_stats``, ``prior``, ``posterior_predictive``, ``observed_data`` and ``constant_data``;
draws have the dimensions ``chain`` and ``draw`` first. ArviZ reads the file (``arviz.from_netcdf``; from version 1
``xarray.open_datatree``). The attribute ``format`` of the root says what it is. Numbers are stored with checksums, so
that a damaged file is noticed and not read as other numbers.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

import ketune
from ketune.errors import InputError
from ketune.storage import whole_file

if TYPE_CHECKING:
    from xarray import Dataset, DataTree

FORMAT = "ketune-posterior/1"
_DRAWN = ("posterior", "sample_stats", "prior", "posterior_predictive")
_GIVEN = ("observed_data", "constant_data")
_ENGINE: Literal["h5netcdf"] = "h5netcdf"
POSTERIOR_FILE = "posterior.nc"
"""Its name in the directory of a fit."""


def posterior_tree(
    groups: Mapping[str, Mapping[str, npt.ArrayLike]],
    *,
    dims: Mapping[str, Sequence[str]] | None = None,
    coords: Mapping[str, npt.ArrayLike] | None = None,
    units: Mapping[str, str] | None = None,
    meaning: Mapping[str, str] | None = None,
    attributes: Mapping[str, str | int | float] | None = None,
) -> DataTree:
    """Put draws and data into a tree.

    Parameters
    ----------
    groups
        By group, arrays by name. Those of ``posterior``, ``sample_stats``, ``prior`` and ``posterior_predictive``
        begin with ``(chains, draws)``; those of ``observed_data`` and ``constant_data`` do not. ``posterior`` must be
        there. Where numbers of trials differ, the caller pads with NaN.
    dims
        By variable, the names of its further dimensions: ``{"spikes_control": ("orientation", "trial")}``.
    coords
        Values along those dimensions: ``{"orientation": [0, 22.5, ...]}``. ``chain`` and ``draw`` are numbered by
        themselves.
    units, meaning
        By variable: its attributes ``units`` and ``long_name``.
    attributes
        Of the root: seed, versions, sampling time, ...; numbers and texts. The posterior carries them too, where ArviZ
        keeps them.

    Raises
    ------
    InputError
        An unknown group, no posterior, or an array whose shape does not fit its dimensions.
    """
    import xarray as xr

    unknown = set(groups) - {*_DRAWN, *_GIVEN}
    if unknown or "posterior" not in groups:
        raise InputError(
            f"posterior: groups are {', '.join(groups) or 'none'}; give posterior and any of "
            f"{', '.join((*_DRAWN[1:], *_GIVEN))}"
        )
    about = {
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "creation_library": "ketune",
        "creation_library_version": ketune.__version__,
        "creation_library_language": "Python",
        **(attributes or {}),
    }
    tree = {"/": xr.Dataset(attrs={"format": FORMAT, **about})}
    for group in (*_DRAWN, *_GIVEN):
        if group in groups:
            lead = ("chain", "draw") if group in _DRAWN else ()
            tree[group] = _group(
                group, groups[group], lead, dims or {}, coords or {}, units or {}, meaning or {}
            )
    tree["posterior"].attrs.update(about)
    return xr.DataTree.from_dict(tree)


def write_posterior(path: Path, tree: DataTree) -> Path:
    """Write a tree in one step: a reader sees the old file or the whole new one.

    Raises
    ------
    InputError
        The file cannot be written there.
    """
    encoding = {
        node.path: {
            str(name): {"zlib": True, "complevel": 4, "fletcher32": True}
            for name, x in node.to_dataset(inherit=False).variables.items()
            if x.ndim and x.dtype.kind in "biuf"  # HDF5 has no checksums for single values and texts
        }
        for node in tree.subtree
    }
    # Through memory: on a full disk HDF5 may take the whole process down when it closes its file.
    content = io.BytesIO()
    tree.to_netcdf(content, engine=_ENGINE, encoding=encoding)
    try:
        with whole_file(Path(path)) as unfinished:
            unfinished.write_bytes(content.getvalue())
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror or error}); choose another place"
        ) from None
    return Path(path)


def read_posterior(path: Path) -> DataTree:
    """Read a tree into memory.

    Raises
    ------
    InputError
        The file is missing or damaged, is not a posterior of ketune, or has a version that this ketune does not know.
    """
    import xarray as xr

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the posterior that a fit wrote")
    try:
        with xr.open_datatree(path, engine=_ENGINE) as tree:
            _check_format(path, tree.attrs.get("format"))
            return tree.load()
    except InputError:
        raise
    # HDF5, h5py, h5netcdf and xarray each have their own complaint about a damaged file.
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, IndexError) as error:
        line = " ".join(str(error).split())
        raise InputError(
            f"{path}: not a netCDF4 file, or damaged ({line}); make the posterior again"
        ) from None


def _check_format(path: Path, found: object) -> None:
    wanted, _, version = FORMAT.partition("/")
    if not isinstance(found, str) or found.partition("/")[0] != wanted:
        raise InputError(f"{path}: not a posterior of ketune (its 'format' is {found!r}, not {FORMAT!r})")
    if found != FORMAT:
        raise InputError(
            f"{path}: posterior format {found.partition('/')[2]}, this ketune reads {version}; "
            "use the ketune that wrote it, or make it again"
        )


def _group(
    group: str,
    arrays: Mapping[str, npt.ArrayLike],
    lead: tuple[str, ...],
    dims: Mapping[str, Sequence[str]],
    coords: Mapping[str, npt.ArrayLike],
    units: Mapping[str, str],
    meaning: Mapping[str, str],
) -> Dataset:
    import xarray as xr

    variables: dict[str, Any] = {}
    sizes: dict[str, int] = {}
    for name, values in arrays.items():
        array = np.asarray(values)
        names = (*lead, *dims.get(name, ()))
        clash = [d for d, n in zip(names, array.shape, strict=False) if sizes.setdefault(d, n) != n]
        if array.ndim != len(names) or clash:
            has = f"{array.shape} for the dimensions ({', '.join(names)})"
            raise InputError(f"posterior: {name} in {group} has shape {has}; {_mend(clash)}")
        about = {"units": units.get(name), "long_name": meaning.get(name)}
        variables[name] = (names, array, {key: text for key, text in about.items() if text})
    known = {d: np.arange(sizes[d]) for d in lead if d in sizes}
    for d, values in coords.items():
        if d in sizes:
            if np.size(values) != sizes[d]:
                raise InputError(
                    f"posterior: {d} has {np.size(values)} values for {sizes[d]} entries in {group}"
                )
            known[d] = np.asarray(values)
    return xr.Dataset(variables, known)


def _mend(clash: Sequence[str]) -> str:
    return f"{clash[0]} differs from the other variables" if clash else "name its further dimensions in dims"
