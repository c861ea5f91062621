"""What a notebook shows, whatever the texts are."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from ketune._html import Card

# A parser makes one newline of a carriage return, and a null character is no text.
texts = st.text(st.characters(exclude_characters="\r\0", exclude_categories=["Cs"]), min_size=1)


class Cells(HTMLParser):
    """Text of each cell, and the tags met."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.met: set[str] = set()
        self.alt: list[str | None] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.met.add(tag)
        if tag in ("th", "td", "strong", "li"):
            self.cells.append("")
        self.alt += [value for name, value in attrs if name == "alt"]

    def handle_data(self, data: str) -> None:
        if self.lasttag in ("th", "td", "strong", "li") and self.cells:
            self.cells[-1] += data


@given(texts, texts, texts, texts)
def test_every_text_comes_back_as_it_was_and_makes_no_tag(
    title: str, name: str, value: str, note: str
) -> None:
    card = Card(title, [(name, value)], columns=[name], rows=[[value]], notes=[note])
    page = Cells(card.html())
    assert [cell.strip() for cell in page.cells] == [
        t.strip() for t in (title, name, value, name, value, note)
    ]
    assert page.met <= {"div", "p", "strong", "table", "tr", "th", "td", "thead", "tbody", "ul", "li"}


@given(texts)
def test_the_words_of_a_figure_stay_within_their_attribute(alt: str) -> None:
    figure = Figure(figsize=(0.2, 0.2))
    page = Cells(Card("x", figure=figure, alt=alt).html())
    assert page.alt == [alt]
    assert page.met == {"div", "p", "strong", "img"}


def test_two_drawings_of_one_figure_are_the_same_text() -> None:
    def once() -> str:
        figure = Figure(figsize=(1, 1))
        figure.subplots().plot([0, 1])
        import matplotlib

        with matplotlib.rc_context({"svg.hashsalt": "ketune"}):
            return Card("x", figure=figure).html()

    assert once() == once()
