"""What one part of the benchmark found: a table for people, figures for programs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Part:
    """One section of the report."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """Each as long as `columns`; the first column names what was measured."""
    figures: dict[str, Any] = field(default_factory=dict)
    """What bench.json holds of it."""
    notes: tuple[str, ...] = ()
    """What a reader must know of how it was measured, a line each."""


def text(part: Part) -> str:
    """For a terminal: columns aligned, the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(part.columns, *part.rows, strict=True)]
    lines = [_line(row, widths) for row in (part.columns, *part.rows)]
    return "\n".join([part.title, *(f"  {line}" for line in lines), *(f"  {note}" for note in part.notes)])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if n == 0 else cell.rjust(width)
        for n, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([first, *others]).rstrip()


def markdown(part: Part) -> str:
    """For a page."""
    rows = [part.columns, tuple("---" if n == 0 else "---:" for n in range(len(part.columns))), *part.rows]
    table = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)
    return "\n\n".join([f"## {part.title}", table, *part.notes])
