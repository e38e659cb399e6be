"""What scenes are made of, and when in them a digit is due."""

from dataclasses import dataclass

from digitd.daemon.settings import setting


@dataclass(frozen=True)
class SceneConfig:
    """What scenes are made of; each share is of what is said or heard in them."""

    length_s: float = setting(4.0, at_least=1, at_most=60)
    digits: float = setting(0.58, at_least=0, at_most=1)
    words: float = setting(0.22, at_least=0, at_most=1)
    speech: float = setting(0.1, at_least=0, at_most=1)
    halves: float = setting(0.05, at_least=0, at_most=1)
    """Halves of digits."""
    doubles: float = setting(0.05, at_least=0, at_most=1)
    """Two digits, or a digit and a word, run together: no digit. For a network that hears isolated digits."""
    strings: float = setting(0.0, at_least=0, at_most=1)
    """Digits one after the other: each is a digit. For a network that hears connected digits."""
    glued: float = setting(0.0, at_least=0, at_most=1)
    """A digit run together with other words: none where one follows; where one comes before, either answer will do."""
    recorded: float = setting(0.5, at_least=0, at_most=1)
    """Share of recorded strings among the strings; the others are put together of single digits."""
    fastest: float = setting(1.0, at_least=1, at_most=2)
    """Digits that are put together and run together are said up to so many times as fast as one by one."""
    things: float = setting(0.06, at_least=0, at_most=1)
    """Taps, breaths, tones."""
    tight: float = setting(0.25, at_least=0, at_most=1)
    """Share of words that are cut where they fall 15-30 dB below their loudest: as many recordings are, and as a low
    microphone hears them. "six" may be left with little but its vowel."""
    synthetic: float = setting(0.3, at_least=0, at_most=1)
    """Share of synthetic voices among the digits and among the words."""
    noise_only: float = setting(0.06, at_least=0, at_most=1)
    """Share of scenes in which nobody says anything."""
    noisy: float = setting(0.65, at_least=0, at_most=1)
    """Share of scenes with more than a hiss behind."""
    snr_low_db: float = -5.0
    snr_high_db: float = 35.0
    reverberant: float = setting(0.35, at_least=0, at_most=1)
    gap_low_s: float = setting(0.25, at_least=0, at_most=10)
    gap_high_s: float = setting(1.3, at_least=0, at_most=10)
    """Pauses between what is said; short ones are drawn more often."""


@dataclass(frozen=True)
class Timing:
    """When a digit may be reported, in seconds after its end."""

    settled_s: float = 0.08
    """From here on it must be."""
    over_s: float = 0.30
    """Until here."""
    margin_s: float = 0.10
    """So long before and after, either answer will do."""
