"""The explanations that stand beside what is exported."""

from __future__ import annotations

from typing import Any


def rendered(template: str, **values: Any) -> str:
    """A template of this package as Markdown; nothing is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ketune.export"), undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.trim_blocks = environment.lstrip_blocks = True
    return environment.get_template(template).render(**values)
