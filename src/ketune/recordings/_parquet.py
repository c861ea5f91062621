"""Long tables as Parquet files: the columns of the CSV, typed."""

from __future__ import annotations

from pathlib import Path

from ketune.errors import InputError
from ketune.recordings._columns import check_columns, understood
from ketune.recordings._layout import Layout
from ketune.recordings._trials import TableTrials, group_rows


def read_parquet(path: Path, layout: Layout) -> TableTrials:
    """The trials of a Parquet file. A null or NaN orientation is a blank trial.

    Raises:
        InputError: no such table; rows are counted from 1.
    """
    import pyarrow
    from pyarrow import compute, parquet

    try:
        table = parquet.ParquetFile(path).read()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise InputError(
            f"{path}: not a Parquet file, or a damaged one ({reason}); write it anew, or save the table as CSV"
        ) from None
    found = check_columns(str(path), table.column_names, layout)
    if table.num_rows == 0:
        raise InputError(f"{path}: no rows; give one row a trial")
    by_neuron = group_rows(
        {part: table.column(name).to_pylist() for part, name in found.items()},
        layout.columns(),
        [str(row) for row in range(1, table.num_rows + 1)],
        path,
    )
    others = [name for name in table.column_names if name not in found.values()]
    return TableTrials(
        path=path,
        kind="Parquet",
        neurons=tuple(by_neuron),
        understood=understood(found),
        by_neuron=by_neuron,
        other_columns={
            name: compute.count_distinct(table.column(name), mode="all").as_py()
            for name in others
            if table.column_names.count(name) == 1
            and not pyarrow.types.is_nested(table.schema.field(name).type)
        },
    )
