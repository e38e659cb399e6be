"""How many false digits the operating points of a bundle may give."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How many false digits the operating points of a network that hears a stream may give on the validation part."""

    max_false_per_hour: float = 15.0
    """Of `always`, on running speech and on noise."""
    max_words: float = 0.0125
    """Of `always`: share of single other words that give a digit."""
    max_words_entry: float = 0.08
    """Of `entry`."""
