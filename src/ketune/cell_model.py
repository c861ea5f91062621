"""A cell described in one TOML file: channels per region, synapses, ports."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ketune import compartments, mechanisms
from ketune.cell import Cell, Placement
from ketune.errors import InputError
from ketune.morphology import Morphology, default_morphology

Positive = Annotated[float, Field(gt=0)]
ByRegion = float | dict[str, float]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DensityModel(_Strict):
    """A channel: its parameters per region; it sits where its first parameter is given."""

    label: str
    mechanism: str
    parameters: dict[str, ByRegion]


class SynapseModel(_Strict):
    """A kind of synapse: one merged point process on each compartment of its regions."""

    label: str
    mechanism: str
    port: str
    regions: tuple[str, ...]
    within_um: Positive | None = None
    parameters: dict[str, float]


class CellModel(_Strict):
    """The whole description. See ``data/models/cat_v1_l23.toml`` for a commented example."""

    name: str
    celsius: float
    v_init_mV: Annotated[float, Field(gt=-120, lt=-30)]
    ra_ohm_cm: Positive
    d_lambda: Annotated[float, Field(gt=0, le=2)]
    cm_uF_cm2: dict[str, float]
    reversal_mV: dict[str, float]
    density: tuple[DensityModel, ...]
    synapse: tuple[SynapseModel, ...] = ()

    @model_validator(mode="after")
    def _known_names(self) -> CellModel:
        regions = set(compartments.REGIONS)
        for table in (
            self.cm_uF_cm2,
            *(p for d in self.density for p in d.parameters.values() if isinstance(p, dict)),
        ):
            if unknown := set(table) - regions:
                raise ValueError(
                    f"unknown region '{sorted(unknown)[0]}' (regions: {', '.join(compartments.REGIONS)})"
                )
        labels = [d.label for d in self.density] + [s.label for s in self.synapse]
        if duplicate := {x for x in labels if labels.count(x) > 1}:
            raise ValueError(f"label '{sorted(duplicate)[0]}' is used twice")
        if "leak" not in labels:
            raise ValueError(
                "a density mechanism with the label 'leak' is needed: it sets the resting potential"
            )
        return self


def read_model(path: str | Path) -> CellModel:
    """Read and check a cell model file.

    Raises
    ------
    InputError
        The file cannot be read, is no TOML, or a key is missing, unknown or out of range.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot read the cell model ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a TOML file ({error})") from None
    try:
        return CellModel.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(x) for x in first["loc"]) or "file"
        raise InputError(f"{path}: {where}: {first['msg'].removeprefix('Value error, ')}") from None


@cache
def default_model() -> CellModel:
    """The shipped model of a cat V1 L2/3 pyramidal cell."""
    with resources.as_file(resources.files("ketune") / "data" / "models" / "cat_v1_l23.toml") as path:
        return read_model(path)


def build_cell(
    model: CellModel | None = None, morphology: Morphology | None = None, *, d_lambda: float | None = None
) -> Cell:
    """Put a model's mechanisms on a morphology; both default to the shipped ones.

    Parameters
    ----------
    d_lambda
        Replaces the model's own discretisation (fraction of the 100 Hz length constant).

    Raises
    ------
    InputError
        A mechanism lacks a parameter that the model sets, or the cell cannot rest at ``v_init_mV``.
    """
    model = model or default_model()
    table = compartments.build(
        morphology or default_morphology(),
        d_lambda=d_lambda or model.d_lambda,
        ra_ohm_cm=model.ra_ohm_cm,
        cm_uF_cm2=model.cm_uF_cm2,
    )
    placements = [_density(d, table) for d in model.density] + [_synapse(s, table) for s in model.synapse]
    ports: dict[str, tuple[str, ...]] = {}
    for s in model.synapse:
        ports[s.port] = (*ports.get(s.port, ()), s.label)
    return Cell(
        name=model.name,
        table=table,
        placements=tuple(p for p in placements if len(p.compartments)),
        ports=ports,
        reversal_mV=dict(model.reversal_mV),
        celsius=model.celsius,
        v_init_mV=model.v_init_mV,
    ).rest_balanced()


def default_cell(**options: Any) -> Cell:
    """The shipped cat V1 L2/3 pyramidal cell, at rest; options as of :func:`build_cell`."""
    return build_cell(**options)


def _mechanism(name: str, label: str, parameters: set[str]) -> mechanisms.Mechanism:
    mechanism = mechanisms.load(name)
    if unknown := parameters - set(mechanism.parameters):
        raise InputError(
            f"'{label}': mechanism '{name}' has no parameter '{sorted(unknown)[0]}' "
            f"(it has {', '.join(mechanism.parameters)})"
        )
    return mechanism


def _density(model: DensityModel, table: compartments.CompartmentTable) -> Placement:
    mechanism = _mechanism(model.mechanism, model.label, set(model.parameters))
    first = next(iter(model.parameters.values()), 0.0)
    present = np.isin(table.region, list(first)) if isinstance(first, dict) else np.ones(table.n, bool)
    rows = np.flatnonzero(present)
    return Placement(model.label, mechanism, rows, _values(mechanism, model.parameters, table.region[rows]))


def _synapse(model: SynapseModel, table: compartments.CompartmentTable) -> Placement:
    mechanism = _mechanism(model.mechanism, model.label, set(model.parameters))
    present = np.isin(table.region, model.regions)
    if model.within_um is not None:
        present &= table.path_um <= model.within_um
    rows = np.flatnonzero(present)
    return Placement(model.label, mechanism, rows, _values(mechanism, model.parameters, table.region[rows]))


def _values(
    mechanism: mechanisms.Mechanism, given: Mapping[str, ByRegion], region: np.ndarray
) -> dict[str, np.ndarray]:
    values = {}
    for name, parameter in mechanism.parameters.items():
        value = given.get(name, parameter.value)
        if isinstance(value, dict):
            values[name] = np.array([value.get(r, parameter.value) for r in region], float)
        else:
            values[name] = np.full(len(region), float(value))
    return values
