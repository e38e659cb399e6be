"""docs/events.md tells of every type and field that there is, and of no other."""

import re
import typing

import pytest
from tests.docs.example import ROOT, examples
from tests.docs.test_examples import BODIES, fields_of

from digitd.daemon.events import TYPES, SourceState
from digitd.daemon.glimpse import Glimpse

PAGE = ROOT / "docs/events.md"
TEXT = PAGE.read_text(encoding="utf-8")
OF_ALL = {"v", "type", "seq", "stream", "time"}


def outside_parentheses(text: str) -> str:
    """Where fields stand; what they may hold is in parentheses."""
    return re.sub(r"\([^()]*\)", "", text)


@pytest.mark.parametrize("kind", TYPES)
def test_the_row_of_a_type_names_its_fields(kind: str) -> None:
    (fields,) = re.findall(rf"^\| `{kind}` \|[^|]*\|(.*)\|$", TEXT, re.MULTILINE)
    assert re.findall(r"`(\w+)`", outside_parentheses(fields)) == [
        name for name in fields_of({"type": kind}) if name not in OF_ALL
    ]
    assert set(BODIES) == set(TYPES)


def test_the_fields_of_all_are_told() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| [^|]*\|$", TEXT, re.MULTILINE)) == OF_ALL


def test_every_state_of_a_source_is_told() -> None:
    (paragraph,) = re.findall(r"^States of a source:.*?\n\n", TEXT, re.MULTILINE | re.DOTALL)
    trouble, others = typing.get_args(typing.get_type_hints(SourceState)["state"])
    assert {*typing.get_args(trouble), *typing.get_args(others)} == set(re.findall(r"`(\w+)` \(", paragraph))


def test_every_field_of_a_glimpse_is_told() -> None:
    told = set(re.findall(r"`(\w+)`", TEXT[TEXT.index("A glimpse is no event") :]))
    assert {*fields_of({"type": Glimpse.type})} - {"v", "type", "stream"} <= told


def test_there_is_an_example_of_every_type() -> None:
    shown = {kind for each in examples(PAGE) for kind in re.findall(r'"type":"(\w+)"', each.text)}
    assert shown >= {*TYPES, Glimpse.type}
