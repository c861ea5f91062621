"""Spike counts of one neuron: condition x orientation x trial, with whatever is missing simply missing."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ketune.errors import InputError
from ketune.recordings import DEFAULT_CONDITION
from ketune.tuning._shapes import wrap_orientation

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_SAME_ORIENTATION_DEG = 1e-3


@dataclass(frozen=True, eq=False)
class OrientationCounts:
    """What the curve analyses need of one condition: moments of the counts at each orientation.

    Attributes:
        orientation_deg: (m,) sorted orientations in [0, 180).
        mean: (m,) mean spikes per window.
        variance: (m,) unbiased variance of the counts over trials; NaN where there is one trial.
        n_trials: (m,) trials.
        window_s: counting window, seconds.
        blank_mean: mean spikes per window without a stimulus, None without blank trials.
    """

    orientation_deg: FloatArray
    mean: FloatArray
    variance: FloatArray
    n_trials: IntArray
    window_s: float
    blank_mean: float | None = None


@dataclass(frozen=True, eq=False)
class Recording:
    """Spike counts of one neuron, one row a trial.

    Numbers of trials may differ between orientations, conditions may lack orientations, and blank trials are
    optional. A recording made by hand may hold drift directions in [0, 360); `fold` turns them into
    orientations and keeps the directions. Everything that needs orientations refuses unfolded directions.

    Attributes:
        name: the neuron.
        window_s: counting window, seconds; one for all rows.
        orientation_deg: (n_rows,) degrees in [0, 180), or [0, 360) before `fold`; NaN marks a blank trial.
        spikes: (n_rows,) spikes in the window.
        trial: (n_rows,) trial number.
        condition: (n_rows,) for example "control", "ketamine".
        source: where the counts come from, in words.
        sha256: of the file read, else of the contents.
        direction_deg: (n_rows,) drift direction in [0, 360) of a folded recording, NaN for blank; else None.

    Raises:
        InputError: columns of different length, negative counts, a window or an orientation out of range.
    """

    name: str
    window_s: float
    orientation_deg: FloatArray
    spikes: IntArray
    trial: IntArray
    condition: npt.NDArray[np.str_]
    source: str = ""
    sha256: str = ""
    direction_deg: FloatArray | None = field(default=None)

    def __post_init__(self) -> None:
        columns: dict[str, np.ndarray] = {
            "orientation_deg": np.array(self.orientation_deg, dtype=np.float64),
            "spikes": np.array(self.spikes),
            "trial": np.array(self.trial),
            "condition": np.array(self.condition, dtype=np.str_),
        }
        if self.direction_deg is not None:
            columns["direction_deg"] = np.array(self.direction_deg, dtype=np.float64)
        n_rows = columns["spikes"].size
        if n_rows == 0:
            raise InputError(f"recording {self.name!r}: no trials")
        for key, column in columns.items():
            if column.shape != (n_rows,):
                raise InputError(
                    f"recording {self.name!r}: {key} has shape {column.shape}, spikes has {n_rows} rows; "
                    "give every column one value a trial"
                )
        for key in ("spikes", "trial"):
            if not np.array_equal(columns[key], np.round(columns[key])):
                raise InputError(f"recording {self.name!r}: {key} must be whole numbers")
            columns[key] = columns[key].astype(np.int64)
        if columns["spikes"].min() < 0:
            raise InputError(f"recording {self.name!r}: negative spike count; counts start at 0")
        degrees = columns["orientation_deg"][~np.isnan(columns["orientation_deg"])]
        if np.any((degrees < 0) | (degrees >= 360)):
            raise InputError(f"recording {self.name!r}: orientation outside [0, 360) deg; reduce it first")
        if not (np.isfinite(self.window_s) and self.window_s > 0):
            raise InputError(
                f"recording {self.name!r}: window_s is {self.window_s}; give a positive number of seconds"
            )
        for key, column in columns.items():
            column.flags.writeable = False
            object.__setattr__(self, key, column)
        if not self.sha256:
            digest = hashlib.sha256(repr((self.name, float(self.window_s))).encode())
            for column in columns.values():
                digest.update(column.tobytes())
            object.__setattr__(self, "sha256", digest.hexdigest())

    def _repr_html_(self) -> str:
        from ketune.report._notebook_displays import recording_html

        return recording_html(self)

    # -- what was recorded -----------------------------------------------------------------------------------

    def conditions(self) -> tuple[str, ...]:
        """Conditions in order of first appearance."""
        return tuple(dict.fromkeys(self.condition.tolist()))

    @property
    def has_blank(self) -> bool:
        """Whether any condition has blank trials."""
        return bool(np.isnan(self.orientation_deg).any())

    def has_blank_in(self, condition: str | None = None) -> bool:
        """Whether one condition has blank trials."""
        return bool(np.any(np.isnan(self.orientation_deg) & (self.condition == self._resolve(condition))))

    def orientations(self, condition: str | None = None) -> FloatArray:
        """Sorted distinct orientations of a condition in degrees, without the blank.

        Args:
            condition: None means the only condition, or "control" where there are several.
        """
        self._require_orientations()
        shown = self.orientation_deg[self.condition == self._resolve(condition)]
        return np.unique(shown[~np.isnan(shown)])

    def counts(self, orientation: float | None, condition: str | None = None) -> IntArray:
        """Spikes of each trial at an orientation (degrees, period 180), or of each blank trial for None.

        Raises:
            InputError: no such trials in this condition.
        """
        return self.spikes[self.rows(orientation, condition)]

    def counts_by_direction(
        self, orientation: float | None, condition: str | None = None
    ) -> tuple[IntArray, ...]:
        """`counts`, apart for each drift direction of a folded recording; else, and for a blank, one group."""
        rows = self.rows(orientation, condition)
        counts = self.spikes[rows]
        if self.direction_deg is None or orientation is None:
            return (counts,)
        direction = self.direction_deg[rows]
        return tuple(counts[direction == d] for d in np.unique(direction))

    def rows(self, orientation: float | None, condition: str | None = None) -> npt.NDArray[np.bool_]:
        """Which rows, as a mask, hold the trials that `counts` returns."""
        condition = self._resolve(condition)
        self._require_orientations()
        in_condition = self.condition == condition
        if orientation is None:
            rows = in_condition & np.isnan(self.orientation_deg)
        else:
            difference = np.abs(wrap_orientation(self.orientation_deg - orientation))
            rows = in_condition & (difference < _SAME_ORIENTATION_DEG)  # NaN compares False
        if not rows.any():
            what = "no blank trials" if orientation is None else f"no trials at {orientation:g} deg"
            raise InputError(f"recording {self.name!r}: {what} in condition {condition!r}")
        return rows

    def _resolve(self, condition: str | None) -> str:
        known = self.conditions()
        if condition is None:
            condition = known[0] if len(known) == 1 else DEFAULT_CONDITION
        if condition not in known:
            raise InputError(
                f"recording {self.name!r}: no condition {condition!r}; it has {', '.join(known)}"
            )
        return condition

    def _require_orientations(self) -> None:
        if np.any(self.orientation_deg >= 180.0):
            raise InputError(
                f"recording {self.name!r}: holds drift directions up to {np.nanmax(self.orientation_deg):g} "
                "deg, orientation has a period of 180; call fold() first"
            )

    # -- moments ---------------------------------------------------------------------------------------------

    def mean(self, condition: str | None = None) -> FloatArray:
        """Mean spikes per window at each of `orientations(condition)`."""
        return np.array([self.counts(o, condition).mean() for o in self.orientations(condition)])

    def variance(self, condition: str | None = None) -> FloatArray:
        """Unbiased variance of the counts over trials at each orientation; NaN where it cannot be known.

        In a folded recording the two directions of one orientation may differ in mean. That difference is
        tuning, not variability, so the variance is pooled within directions.
        """
        name = self._resolve(condition)
        return np.array([self._variance_at(o, name) for o in self.orientations(name)])

    def _variance_at(self, orientation: float, condition: str) -> float:
        groups = self.counts_by_direction(orientation, condition)
        freedom = sum(g.size - 1 for g in groups)
        if freedom < 1:
            return float("nan")
        return sum(float(np.sum((g - g.mean()) ** 2)) for g in groups) / freedom

    def fano(self, condition: str | None = None) -> FloatArray:
        """Fano factor, variance over mean of the counts, at each orientation; NaN where no spike was seen."""
        mean, variance = self.mean(condition), self.variance(condition)
        return np.divide(variance, mean, out=np.full_like(mean, np.nan), where=mean > 0)

    def moments(self, condition: str | None = None) -> OrientationCounts:
        """Mean, variance and number of trials at each orientation, for the curve analyses."""
        name = self._resolve(condition)
        orientations = self.orientations(name)
        blank = np.isnan(self.orientation_deg) & (self.condition == name)
        return OrientationCounts(
            orientation_deg=orientations,
            mean=self.mean(name),
            variance=self.variance(name),
            n_trials=np.array([self.counts(o, name).size for o in orientations], dtype=np.int64),
            window_s=self.window_s,
            blank_mean=float(self.spikes[blank].mean()) if blank.any() else None,
        )

    def direction_means(self, condition: str | None = None) -> tuple[FloatArray, FloatArray] | None:
        """Drift directions (d,) in [0, 360) and mean spikes per window (d,); None without directions."""
        directions = self.direction_deg
        if directions is None and np.any(self.orientation_deg >= 180.0):
            directions = self.orientation_deg
        if directions is None:
            return None
        rows = (self.condition == self._resolve(condition)) & ~np.isnan(directions)
        tested = np.unique(directions[rows])
        return tested, np.array([self.spikes[rows & (directions == d)].mean() for d in tested])

    # -- derived recordings ----------------------------------------------------------------------------------

    def fold(self) -> Recording:
        """Map directions in [0, 360) onto orientations in [0, 180) and remember the directions.

        Trials of opposite directions become trials of one orientation and are numbered anew, by direction,
        then trial.
        """
        if not np.any(self.orientation_deg >= 180.0):
            return self
        folded = self.orientation_deg % 180.0
        order = np.lexsort((self.trial, self.orientation_deg))
        trial = np.empty_like(self.trial)
        seen: dict[tuple[str, float], int] = {}
        for row in order:
            key = (str(self.condition[row]), float(np.nan_to_num(folded[row], nan=-1.0)))
            trial[row] = seen[key] = seen.get(key, -1) + 1
        return replace(
            self, orientation_deg=folded, trial=trial, direction_deg=self.orientation_deg, sha256=""
        )

    def split_half(self, seed: int) -> tuple[Recording, Recording]:
        """Divide the trials of every condition and orientation (and the blank) at random into two halves.

        An odd trial goes to the first half. In a folded recording every direction is divided.

        Raises:
            InputError: some orientation has a single trial.
        """
        self._require_orientations()
        stimulus = self.orientation_deg if self.direction_deg is None else self.direction_deg
        stimulus = np.nan_to_num(stimulus, nan=-1.0)
        generator = np.random.default_rng(seed)
        first = np.zeros(self.spikes.size, dtype=bool)
        for condition in self.conditions():
            for value in np.unique(stimulus[self.condition == condition]):
                rows = np.flatnonzero((self.condition == condition) & (stimulus == value))
                if rows.size < 2:
                    where = "the blank" if value < 0 else f"{value:g} deg"
                    raise InputError(
                        f"recording {self.name!r}: one trial at {where} in condition {condition!r}; "
                        "splitting in halves needs at least two"
                    )
                first[generator.permutation(rows)[: (rows.size + 1) // 2]] = True
        return self._take(first, f"half 1, seed {seed}"), self._take(~first, f"half 2, seed {seed}")

    def _take(self, rows: npt.NDArray[np.bool_], what: str) -> Recording:
        return replace(
            self,
            orientation_deg=self.orientation_deg[rows],
            spikes=self.spikes[rows],
            trial=self.trial[rows],
            condition=self.condition[rows],
            direction_deg=None if self.direction_deg is None else self.direction_deg[rows],
            source=f"{self.source} ({what})".strip(),
            sha256="",
        )

    def to_csv(self, path: str | Path) -> None:
        """Write the recording in the format that `read_recording` reads, with directions where known."""
        stimulus = self.orientation_deg if self.direction_deg is None else self.direction_deg
        with open(path, "w", newline="", encoding="utf-8") as stream:
            if self.source:
                stream.write(f"# source: {' '.join(self.source.split())}\n")
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(("orientation_deg", "trial", "spikes", "condition", "window_s", "neuron"))
            # A folded recording numbers its trials per orientation, so they stay distinct per direction too.
            for degrees, trial, spikes, condition in zip(
                stimulus.tolist(),
                self.trial.tolist(),
                self.spikes.tolist(),
                self.condition.tolist(),
                strict=True,
            ):
                shown = "" if np.isnan(degrees) else repr(degrees)
                writer.writerow((shown, trial, spikes, condition, repr(float(self.window_s)), self.name))
