"""Users' TOML files: what cannot be used is one line with file, key, what and how to mend it."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from ketune import _toml
from ketune.errors import InputError


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: float

    @field_validator("size")
    @classmethod
    def _small(cls, size):
        if size > 10:
            raise ValueError("too large\nby far")
        return size


class Content(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    item: list[Item] = []


def read(tmp_path, content):
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    found = _toml.read(path, "list")
    with _toml.checking(path):
        return Content.model_validate(found)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    assert read(tmp_path, b'\xef\xbb\xbfname = "\xc3\xa9"\n[[item]]\nsize = 2').item[0].size == 2.0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "name: missing; add it"),
        (b'name = "a"\nnam = 1', "nam: unknown key; correct its spelling or leave it out"),
        (b"name = 1", "name: Input should be a valid string; it is 1"),
        (b'name = "a"\n[[item]]\nsize = 1\n[[item]]\nsize = "many"', "item.2.size: Input should be a valid number"),
        (b'name = "a"\n[[item]]\nsize = "many"', "it is 'many'"),
        (b'name = "a"\n[[item]]\nsize = 11', "item.1.size: too large by far"),
        (b'name = "a"\nitem = 3', "item: Input should be a valid list; it is 3"),
        (b'name = "a', "not valid TOML: "),
        (b'name = "a"\nitem = ]', "(at line 2, column 8); correct it there"),
        (b"name = " + 5000 * b"[", "nested too deeply"),
        (b"name = " + 5000 * b"9", "a number has too many digits"),
        (b"name = " + 400 * b"9", "it is " + 60 * "9" + "..."),
        (b'name = "a"\nitem = [3]', "item.1: not a table of keys; write it as { key = value, ... }"),
        (b"\xff\xfe\x00", "the list is not text in UTF-8; save it as that"),
    ],
    ids=[
        "missing", "unknown", "no string", "entries count from 1", "what it is", "two lines", "no list", "no TOML",
        "where in the text", "nested", "digits", "a long value", "no table", "no text",
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_one_line(tmp_path, content, says):
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    line = str(caught.value)
    assert line.startswith(f"{tmp_path / 'mine.toml'}: ")
    assert says in line
    assert "\n" not in line


@pytest.mark.parametrize(("name", "says"), [("gone.toml", "No such file"), (".", "Is a directory")])
def test_what_cannot_be_read(tmp_path, name, says):
    with pytest.raises(InputError, match=rf"cannot read the list \({says}.*\); give the path of a TOML file"):
        _toml.read(tmp_path / name, "list")


def test_fields_that_are_no_keys_of_the_file_are_not_named():
    with (
        pytest.raises(InputError, match=r"^mine: 1\.size: missing"),
        _toml.checking("mine", unnamed=("item",)),
    ):
        Content.model_validate({"name": "a", "item": [{}]})


def test_a_complaint_of_something_that_ketune_wrote_asks_for_no_editing():
    with pytest.raises(ValidationError) as caught:
        Content.model_validate({})
    assert _toml.complaint(caught.value) == "name: missing"
