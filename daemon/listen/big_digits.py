"""The last digits, large."""

from rich.segment import Segment

from digitd.daemon.listen.hearing import Word
from digitd.daemon.listen.panel import BOLD, FAINT, GOOD, Panel, Row

FONT = {
    "0": ("###", "# #", "# #", "# #", "###"),
    "1": (" # ", "## ", " # ", " # ", "###"),
    "2": ("###", "  #", "###", "#  ", "###"),
    "3": ("###", "  #", "###", "  #", "###"),
    "4": ("# #", "# #", "###", "  #", "  #"),
    "5": ("###", "#  ", "###", "  #", "###"),
    "6": ("###", "#  ", "###", "# #", "###"),
    "7": ("###", "  #", "  #", "  #", "  #"),
    "8": ("###", "# #", "###", "# #", "###"),
    "9": ("###", "# #", "###", "  #", "###"),
}
"""Each row of each digit."""
HEIGHT = 5
PIXEL_COLUMNS = 2
"""Of a pixel: a cell is twice as high as it is wide."""
DIGIT_COLUMNS = 3 * PIXEL_COLUMNS
GAP_COLUMNS, STRING_GAP_COLUMNS = 2, 4
"""Behind a digit, and behind the last of a string."""


class BigDigits(Panel):
    """As many of the last digits as there is room for, the newest green; those of strings that have ended are faint."""

    DEFAULT_CSS = "BigDigits { height: 6; }"

    def rows(self, width: int, height: int) -> list[Row]:
        """The oldest on the left, at the foot."""
        shown = self._fitting(width)
        rows: list[Row] = [[] for _ in range(HEIGHT)]
        for place, (word, gap) in enumerate(shown):
            newest = place == len(shown) - 1
            style = FAINT if word.string < self.hearing.string and not newest else GOOD if newest else BOLD
            for row, pixels in zip(rows, FONT.get(word.label, ("", "", word.label, "", "")), strict=True):
                row.append(Segment(self._drawn(pixels).ljust(DIGIT_COLUMNS + gap), style))
        return [[]] * (height - HEIGHT) + rows

    def _fitting(self, width: int) -> list[tuple[Word, int]]:
        """The last digits, each with the gap behind it."""
        shown: list[tuple[Word, int]] = []
        used, after = 0, None
        for word in reversed(self.hearing.words):
            if not word.is_digit:
                continue
            gap = 0 if after is None else GAP_COLUMNS if after.string == word.string else STRING_GAP_COLUMNS
            used += DIGIT_COLUMNS + gap
            if used > width:
                break
            shown.insert(0, (word, gap))
            after = word
        return shown

    def _drawn(self, pixels: str) -> str:
        return "".join((self.glyphs.pixel if pixel == "#" else pixel) * PIXEL_COLUMNS for pixel in pixels)
