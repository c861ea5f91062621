"""The examples of docs/notebooks.md run as printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from report_example import write_example

from ketune import report

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "notebooks.md").read_text(encoding="utf-8")


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What each example leaves, one after the other, as a reader would run them."""
    write_example(tmp_path / "cell7")
    monkeypatch.chdir(tmp_path)
    with matplotlib.rc_context({"backend": "Agg"}):
        import matplotlib.pyplot as plt

        namespace: dict[str, Any] = {}
        left = []
        for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
            exec(compile(block, "notebooks.md", "exec"), namespace)
            left.append(dict(namespace))
        yield left
        plt.close("all")


def test_examples(ran: list[dict[str, Any]]) -> None:
    first, second = ran
    recorded, free, _ = first["fig"].axes
    assert recorded.get_xlabel() == "orientation (degrees)"
    assert free.get_xlabel() == "time after the dose (min)"
    assert all(axes.has_data() for axes in first["fig"].axes)
    assert second["result"].fit.recording.name == "SYNTHETIC unit"
    # Four panels and the bar of the colours.
    assert len(second["fig"].axes) == 5
    assert all(axes.has_data() for axes in second["fig"].axes)
    for one in ran:
        one["fig"].canvas.draw()


def test_every_drawing_function_is_listed() -> None:
    listed = set(re.findall(r"^\| `(draw_\w+)\(", TEXT, re.MULTILINE))
    assert listed == {name for name in report.__all__ if name.startswith("draw_")}
