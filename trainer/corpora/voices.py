"""What `voices.toml` may say: which texts programs speak, and in which voices."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from digitd.daemon.settings import setting
from digitd.trainer.corpora.recording import label_of


@dataclass(frozen=True)
class Words:
    """Texts that are each spoken in equally many voices."""

    texts: tuple[str, ...]
    n_voices_per_text: int = setting(at_least=1, at_most=10000)
    """So many are drawn; one that is drawn twice speaks once."""
    label: str = ""
    """Of all these texts; empty: each text is its own, and a digit's name is the digit."""
    kind: Literal["word", "speech"] = "word"

    def __post_init__(self) -> None:
        for text in self.texts:
            if not text.strip() or not text.isprintable():
                raise ValueError(f"text {text!r} cannot be spoken; write one line of words")


@dataclass(frozen=True)
class Strings:
    """Texts of digit strings, made by `string_texts`, each spoken by one voice and aligned."""

    n_texts: int = setting(at_least=1, at_most=100_000)
    """So many are tried; one that the alignment does not find again in its speech is left out."""


@dataclass(frozen=True)
class Sentences:
    """Running speech: words of the description that are no digits, in any order, each sentence spoken by one voice."""

    n_texts: int = setting(at_least=1, at_most=100_000)
    shortest: int = setting(4, at_least=1, at_most=50)
    longest: int = setting(9, at_least=1, at_most=50)
    """Words of a sentence."""


@dataclass(frozen=True)
class Description:
    """What is spoken and in which voices; each range is `[lowest, highest]`, and both may be drawn."""

    words: tuple[Words, ...] = ()
    strings: tuple[Strings, ...] = ()
    sentences: tuple[Sentences, ...] = ()
    seed: int = setting(1, at_least=0, at_most=2**32 - 1)
    espeak_accents: tuple[str, ...] = ("en-us", "en-gb")
    """Languages of `espeak-ng --voices`; empty: flite speaks alone."""
    espeak_variants: tuple[str, ...] = ("all",)
    """Names after `!v/` in `espeak-ng --voices=variant`; `["all"]`: all that are installed but those that whisper."""
    rates_wpm: tuple[int, ...] = setting((120, 220), at_least=80, at_most=450)
    pitches: tuple[int, ...] = setting((20, 80), at_least=0, at_most=99)
    """On espeak's scale; 50 is the variant's own."""
    flite_voices: tuple[str, ...] = ("kal16", "awb", "rms", "slt")
    """Of `flite -lv`; empty: espeak speaks alone."""
    flite_share: float = setting(0.2, at_least=0, at_most=1)
    """How often flite is drawn where both speak."""
    flite_stretches: tuple[float, ...] = setting((0.8, 1.4), at_least=0.3, at_most=3)
    """Flite's `duration_stretch`: 2 is half as fast."""
    flite_f0_hz: tuple[int, ...] = setting((90, 190), at_least=50, at_most=400)
    """Flite's `int_f0_target_mean`; the voice rms does not follow it."""

    def __post_init__(self) -> None:
        if not self.words and not self.strings:
            raise ValueError("nothing is spoken; give [[words]] or [[strings]]")
        if self.sentences and not vocabulary(self.words):
            raise ValueError("[[sentences]] are made of [[words]] that are no digits; give some")
        texts = [text.casefold() for words in self.words for text in words.texts]
        if twice := sorted({text for text in texts if texts.count(text) > 1}):
            raise ValueError(f"text {twice[0]!r} stands there twice; keep one")
        for name in ("rates_wpm", "pitches", "flite_stretches", "flite_f0_hz"):
            bounds = getattr(self, name)
            if len(bounds) != 2 or bounds[0] > bounds[1]:
                raise ValueError(f"{name} = {list(bounds)} must be [lowest, highest]")
        if not (self.espeak_accents and self.espeak_variants) and not self.flite_voices:
            raise ValueError("nobody speaks; give espeak_accents and espeak_variants, or flite_voices")


@dataclass(frozen=True)
class Voice:
    """One manner of speaking."""

    engine: Literal["espeak", "flite"]
    name: str
    """Accent and variant, or flite's voice."""
    manner: str
    options: tuple[str, ...]

    def command(self, text: str, wav: Path) -> tuple[str, ...]:
        """What speaks the text into a file."""
        if self.engine == "espeak":
            return "espeak-ng", *self.options, "-w", str(wav), "--", text
        return "flite", *self.options, "-o", str(wav), "-t", text


def vocabulary(words: Sequence[Words]) -> list[str]:
    """The single words that are no digits."""
    return [
        text
        for each in words
        if each.kind == "word" and not each.label
        for text in each.texts
        if text == label_of(text)
    ]
