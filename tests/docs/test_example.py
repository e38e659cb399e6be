"""A block that nothing could run is told, not passed over."""

from pathlib import Path

import pytest
from tests.docs.example import examples

SH = "```sh\ndigitd run\n```\n"


def page(folder: Path, text: str) -> Path:
    """A page of documentation."""
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Type\n\n    digitd run\n", "page.md:3: fence it"),
        (f"<!-- example: daemon -->\n\n{SH}", "page.md:1: .* no block"),
        (f"<!-- example: daemon -->\nThis\n{SH}", "page.md:1: .* no block"),
        (f"<!-- example: demon -->\n{SH}", "'demon' is no key"),
        (f"<!-- example: skip: -->\n{SH}", "'skip:' is no key"),
        (f"<!-- example daemon; example: -->\n{SH}", "page.md:1: is this meant"),
        ("<!-- example: daemon -->\n", "page.md:1: .* no block"),
    ],
    ids=["indented", "blank line between", "text between", "unknown key", "no reason", "no marker", "no block"],
)
def test_what_is_no_example_is_told(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=told):
        list(examples(page(tmp_path, text)))


@pytest.mark.parametrize("fence", ["```", "~~~", "````"])
def test_every_fence_is_an_example_wherever_it_stands(fence: str, tmp_path: Path) -> None:
    text = f"- a list\n\n  <!-- example: daemon; until: 3 -->\n  {fence}sh title\n  digitd run\n  {fence}\n"
    (found,) = examples(page(tmp_path, text))
    assert (found.language, found.text, found.needs, found.until) == (
        "sh title",
        "digitd run\n",
        frozenset({"daemon"}),
        "3",
    )
