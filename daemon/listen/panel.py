"""What all panels share: rows of text that are drawn anew only where they have changed."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from digitd.daemon.listen.glyphs import Glyphs
from digitd.daemon.listen.hearing import Hearing

PLAIN = Style()
FAINT = Style(dim=True)
BOLD = Style(bold=True)
GOOD = Style(color="green", bold=True)
MIDDLING = Style(color="yellow")
BAD = Style(color="red", bold=True)
WARNING = Style(color="yellow", bold=True, reverse=True)
ALARM = Style(color="red", bold=True, reverse=True)

Row = list[Segment]


class Panel(Widget):
    """A part of the view. A terminal writes what it is sent, and that is what a live view costs: so little is sent.

    Args:
        hearing: what is shown.
        glyphs: with what.
    """

    DEFAULT_CSS: ClassVar[str] = "Panel { height: 1; width: 1fr; }"

    def __init__(self, hearing: Hearing, glyphs: Glyphs) -> None:
        super().__init__()
        self.hearing, self.glyphs = hearing, glyphs
        self._rows: list[Row] = []

    def rows(self, width: int, height: int) -> Sequence[Row]:
        """What is to be seen now, the upmost first."""
        raise NotImplementedError

    def look(self) -> None:
        """Draw what has changed."""
        width, height = self.size
        if not width or not height:
            return
        rows = [*self.rows(width, height)][:height]
        rows += [[]] * (height - len(rows))
        before, self._rows = self._rows, rows
        if len(before) != height:
            self.refresh()
        elif changed := [Region(0, y, width, 1) for y in range(height) if rows[y] != before[y]]:
            self.refresh(*changed)

    def on_resize(self) -> None:
        """Fill the new size."""
        self._rows = []
        self.look()

    def render_line(self, y: int) -> Strip:
        """One row, of the panel's width."""
        row = self._rows[y] if y < len(self._rows) else []
        return Strip(row).adjust_cell_length(self.size.width)


def joined(cells: Iterable[tuple[str, Style]]) -> Row:
    """Cells side by side, those of one style as one piece: there is less to send."""
    row: Row = []
    text, style = "", PLAIN
    for character, its in cells:
        if its == style:
            text += character
            continue
        if text:
            row.append(Segment(text, style))
        text, style = character, its
    return [*row, Segment(text, style)] if text else row
