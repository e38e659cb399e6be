"""The characters that the view is drawn with: of Unicode, or of ASCII where a terminal has no others."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Glyphs:
    """One character for each purpose, or a series from nothing to all."""

    across: str
    """A cell that fills from the left."""
    up: str
    """A cell that fills from below."""
    shades: str
    """A cell from dark to bright, where colours do not tell."""
    pixel: str
    """Of large digits."""
    floor: str
    """The room's noise in the level meter."""
    track: str
    """Beneath what the speech detector takes for speech."""
    on: str
    off: str
    """Beside the speech detector's word."""
    dot: str
    """Between two things."""
    cut: str
    """In place of what there is no room for."""
    ascii: bool

    def plain(self, text: str) -> str:
        """A text of somebody else's without what cannot be shown."""
        shown = text.encode("ascii", "replace").decode() if self.ascii else text
        return "".join(character if character.isprintable() else "?" for character in shown)

    def tail(self, text: str, room: int) -> str:
        """As much of a text's end as there is room for: of a path, its name."""
        return text if len(text) <= room else (self.cut + text[len(text) - room + 1 :])[: max(room, 0)]

    def share(self, series: str, share: float) -> str:
        """The character of a series that stands for a share of 0 to 1."""
        return series[min(max(round(share * (len(series) - 1)), 0), len(series) - 1)]


UNICODE = Glyphs(" ▏▎▍▌▋▊▉█", " ▁▂▃▄▅▆▇█", " ░▒▓█", "█", "┃", "▔", "●", "○", "·", "…", ascii=False)
ASCII = Glyphs(" #", " .:#", " .:-=+*#%@", "#", "|", "-", "*", ".", "|", "~", ascii=True)
