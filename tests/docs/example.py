"""The examples of the documentation: each fenced block of README.md and docs/*.md, and how it is to be run.

A comment right above a block says what it needs: `<!-- example: KEY; KEY: VALUE -->`, with the keys of `Example`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FENCE = re.compile(
    r"^(?:<!-- example: (?P<marker>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
NEEDS = ("microphone", "daemon", "train", "voices")


@dataclass(frozen=True)
class Example:
    """A block of the documentation."""

    path: Path
    line: int
    language: str
    text: str
    needs: frozenset[str] = field(default_factory=frozenset)
    """What there must be: a microphone into which the demo is spoken, a daemon that hears it, what training needs."""
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
    """All that is documentation."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def examples(path: Path) -> Iterator[Example]:
    """The blocks of a document."""
    text = path.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start("language")) + 1
        yield Example(path, line, found["language"], found["text"], **_marked(found["marker"] or ""))


def _marked(marker: str) -> dict[str, Any]:
    """What a marker says; an unknown key is an error."""
    given: dict[str, Any] = {}
    needs = set()
    for part in filter(None, map(str.strip, marker.split(";"))):
        key, colon, value = part.partition(":")
        if not colon and key in NEEDS:
            needs.add(key)
        elif colon and key in ("until", "prints", "skip"):
            given[key] = value.strip()
        else:
            raise ValueError(f"{part!r} is no key of an example")
    return {**given, "needs": frozenset(needs)}
