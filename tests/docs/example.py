"""The examples of the documentation: each block of code in its pages, and how it is to be run.

A comment right above a block says what it needs: `<!-- example: KEY; KEY: VALUE -->`, with the keys of `Example`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
MARKER = re.compile(r"<!-- example: (.*?) -->\s*", re.DOTALL)
NEEDS = ("microphone", "daemon", "webhook", "train")
VALUES = ("until", "prints", "skip")


@dataclass(frozen=True)
class Example:
    """A block of the documentation."""

    path: Path
    line: int
    language: str
    text: str
    needs: frozenset[str] = field(default_factory=frozenset)
    """What there must be: a microphone or a daemon that hears the demo, who takes a webhook, TensorFlow."""
    until: str = ""
    """It goes on for ever; it is right once it has printed this."""
    prints: str = ""
    """What it must have printed when it ends."""
    skip: str = ""
    """Why it cannot run in a test."""

    @property
    def name(self) -> str:
        """Where it stands."""
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def documents() -> list[Path]:
    """All that tells a person what to type."""
    named = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
    return [*named, *sorted((ROOT / "docs").glob("*.md"))]


def examples(path: Path) -> Iterator[Example]:
    """The blocks of a page.

    Raises:
        ValueError: a block is indented code, which has no language, or a marker is above none or has an unknown key.
    """
    marker, below = "", 0
    for token in MarkdownIt("commonmark").parse(path.read_text(encoding="utf-8")):
        begin, end = token.map or (0, 0)
        if marker and not (token.type == "fence" and begin == below):
            break
        if token.type == "fence":
            yield Example(path, begin + 1, token.info, token.content, **_marked(marker))
            marker = ""
        elif token.type == "code_block":
            raise ValueError(f"{path.name}:{begin + 1}: fence it, and name its language")
        elif token.type == "html_block" and (found := MARKER.fullmatch(token.content)):
            marker, below = found[1], end
        elif token.type == "html_block" and "example:" in token.content:
            raise ValueError(f"{path.name}:{begin + 1}: is this meant to be a marker?")
    if marker:
        raise ValueError(f"{path.name}:{below}: there is no block right below this marker")


def _marked(marker: str) -> dict[str, Any]:
    """What a marker says."""
    given: dict[str, Any] = {}
    needs = set()
    for part in filter(None, map(str.strip, marker.split(";"))):
        key, colon, value = part.partition(":")
        if not colon and key in NEEDS:
            needs.add(key)
        elif key in VALUES and value.strip():
            given[key] = value.strip()
        else:
            raise ValueError(f"{part!r} is no key of an example")
    return {**given, "needs": frozenset(needs)}
