"""A run of `ketune reproduce`, for another page to show its verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Population:
    """The document of a run, and where its own page is.

    Attributes
    ----------
    document
        What `verdicts.json` holds.
    link
        Of its page, relative to the page that shows it.
    """

    document: Mapping[str, Any]
    link: str
