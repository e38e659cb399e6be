"""The scrolling mel spectrogram, and beneath it where speech was and which digits came of it."""

import numpy as np
from numpy.typing import NDArray
from rich.segment import Segment
from rich.style import Style

from digitd.daemon.glimpse import BRIGHTEST
from digitd.daemon.listen.glyphs import Glyphs
from digitd.daemon.listen.hearing import Hearing
from digitd.daemon.listen.panel import BOLD, FAINT, PLAIN, Panel, Row, joined

COLOURS = (16, 17, 53, 54, 90, 126, 161, 197, 202, 208, 214, 220, 227, 230)
"""From dark to bright, of the 256 that nearly every terminal has: from black over violet and red to yellow."""
HALF = "▀"
"""Two pixels in a cell: the upper in its colour, the lower in that of the ground."""


class Spectrogram(Panel):
    """As many rows as there is room for.

    Args:
        hearing: what is shown.
        glyphs: with what, where there are no colours.
        coloured: whether there are 256 of them.
    """

    DEFAULT_CSS = "Spectrogram { height: 1fr; }"

    def __init__(self, hearing: Hearing, glyphs: Glyphs, *, coloured: bool) -> None:
        super().__init__(hearing, glyphs)
        self._coloured = coloured and not glyphs.ascii
        self._styles = [
            [Style(color=f"color({upper})", bgcolor=f"color({lower})") for lower in COLOURS] for upper in COLOURS
        ]

    def rows(self, width: int, height: int) -> list[Row]:
        """The last columns, the newest on the right."""
        if self._coloured:
            shades = _steps(self.hearing.picture.shades(width, 2 * height), len(COLOURS))
            return [self._pairs(upper, lower) for upper, lower in zip(shades[::2], shades[1::2], strict=True)]
        series = self.glyphs.shades
        shades = _steps(self.hearing.picture.shades(width, height), len(series))
        return [[Segment("".join(series[shade] for shade in row), PLAIN)] for row in shades.tolist()]

    def _pairs(self, upper: NDArray[np.intp], lower: NDArray[np.intp]) -> Row:
        """A row of half blocks; where both halves are alike, of blanks."""
        styles = self._styles
        edges = np.flatnonzero((np.diff(upper) != 0) | (np.diff(lower) != 0)) + 1
        begins = [0, *edges.tolist()]
        row = []
        for begin, end in zip(begins, [*begins[1:], len(upper)], strict=True):
            up, low = int(upper[begin]), int(lower[begin])
            row.append(Segment((" " if up == low else HALF) * (end - begin), styles[up][low]))
        return row


class Track(Panel):
    """One row: a line beneath speech; in it each digit where its word was, faint what was none."""

    def rows(self, width: int, height: int) -> list[Row]:  # noqa: ARG002 - one row
        """One row, its columns those of the spectrogram."""
        picture, glyphs = self.hearing.picture, self.glyphs
        cells = [(glyphs.track if speech else " ", FAINT) for speech in picture.speech(width)]
        for word in self.hearing.words:
            place = picture.place(word.middle_s, width)
            if word.stream == self.hearing.stream and 0 <= place < width:
                cells[place] = (glyphs.plain(word.label)[:1], BOLD if word.is_digit else FAINT)
                if not word.is_digit and place + 1 < width:
                    cells[place + 1] = ("?", FAINT)
        return [joined(cells)]


def _steps(shades: NDArray[np.uint8], n_steps: int) -> NDArray[np.intp]:
    return shades.astype(np.intp) * n_steps // (BRIGHTEST + 1)


def has_colours(glyphs: Glyphs, color_system: str | None, *, no_color: bool) -> bool:
    """Whether a spectrogram can be coloured."""
    return color_system in ("256", "truecolor") and not no_color and not glyphs.ascii
