"""What a notebook shows of an object: a title, facts, a table and a figure, as HTML without script or network."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template
    from matplotlib.figure import Figure

# The style stands at each element: a sheet would change the rest of the notebook. Colours of text are the notebook's.
_TEMPLATE = """\
<div class="ketune">
<p><strong>{{ card.title }}</strong></p>
{% if card.facts %}
<table>
{% for name, value in card.facts %}
<tr><th scope="row" style="text-align: left">{{ name }}</th><td style="text-align: left">{{ value }}</td></tr>
{% endfor %}
</table>
{% endif %}
{% if picture %}
<img src="{{ picture }}" alt="{{ card.alt }}" style="max-width: 100%">
{% endif %}
{% if card.rows %}
<div style="max-height: 24em; overflow: auto">
<table>
<thead><tr>
{% for name in card.columns %}
<th scope="col" style="text-align: left">{{ name }}</th>
{% endfor %}
</tr></thead>
<tbody>
{% for row in card.rows %}
<tr>
{% for value in row %}
<td style="text-align: left">{{ value }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table>
</div>
{% endif %}
{% if card.notes %}
<ul style="max-height: 12em; overflow: auto">
{% for note in card.notes %}
<li>{{ note }}</li>
{% endfor %}
</ul>
{% endif %}
</div>
"""


@dataclass(frozen=True, eq=False)
class Card:
    """What is shown; every text is plain and is escaped when it is rendered.

    Attributes
    ----------
    facts
        Rows of the table of two columns: name and value.
    columns, rows
        Head and rows of a table below the figure, which scrolls when it is long; none without rows.
    notes
        Sentences at the end, in a list that scrolls, too.
    figure, alt
        A figure, and what it shows in words.
    """

    title: str
    facts: Sequence[tuple[str, str]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    notes: Sequence[str] = ()
    figure: Figure | None = None
    alt: str = ""

    def html(self) -> str:
        """One ``<div>``."""
        picture = None if self.figure is None else _address(self.figure)
        return _template().render(card=self, picture=picture)


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    return Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(_TEMPLATE)


def _address(figure: Figure) -> str:
    """The figure within an address: the names in one SVG cannot meet those of another on the same page."""
    buffer = io.BytesIO()
    # Without a date: a notebook that was run again does not differ from the one before.
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
