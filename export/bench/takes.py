"""The sound that all parts hear: the recordings that were given, people's of $DIGITD_CORPORA, or spoken by programs."""

import importlib.resources
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from digitd.daemon.audio import Samples
from digitd.daemon.errors import AudioError, CorpusError
from digitd.trainer import compose
from digitd.trainer.clips import at_rate, levels, span_s
from digitd.trainer.compose import Stream
from digitd.trainer.corpora import manifest, synthetic
from digitd.trainer.corpora.recording import DIGIT_WORDS, Recording
from digitd.trainer.scores import Word

RATE_HZ = 16000
SEED = 8
MOST_WORDS = 160
CONTINUOUS_S = 60.0
BREATH_S = (0.05, 0.15)
"""Between the words of continuous speech: no pause that a detector would take for an end."""
PEAK = 0.3
PHRASE_WORDS = 5
PHRASE_PAUSE_S = 1.0
MOST_PHRASES = 24
SUFFIXES = (".wav", ".flac")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Takes:
    """What is heard."""

    origin: str
    """Where it comes from, for the report."""
    continuous: Stream
    """Speech without a pause; or the recordings that were given."""
    isolated: Stream
    """Digits 0.5-1.2 s apart, with where each word ends."""
    phrases: Stream
    """Five digits in a breath, a second apart."""
    files: tuple[Path, ...]
    """The continuous speech as recordings, at their own rate."""
    long: Path
    """The continuous speech over and over, as one WAV file."""
    long_s: float


def taken(given: Sequence[Path], long_s: float, speakers: frozenset[str], scratch: Path) -> Takes:
    """The sound for a run; files are written into `scratch`.

    Raises:
        AudioError: a recording cannot be read, or a folder holds none.
        CorpusError: there are no digits, or no program that speaks them.
    """
    origin, digits, others = _words(speakers, scratch)
    isolated = compose.isolated(digits[:MOST_WORDS], RATE_HZ, SEED)
    if given:
        files = tuple(_recordings(given))
        samples = np.concatenate([at_rate(_recording(path), RATE_HZ) for path in files])
        origin = f"{len(files)} recordings that were given; single digits: {origin}"
    else:
        files = (scratch / "continuous.wav",)
        samples = _continuous([*digits, *others])
        soundfile.write(files[0], samples, RATE_HZ, subtype="PCM_16")
    long = scratch / "long.wav"
    repeats = max(1, round(long_s * RATE_HZ / len(samples)))
    soundfile.write(long, np.tile(samples, repeats), RATE_HZ, subtype="PCM_16")
    return Takes(
        origin,
        Stream(samples, RATE_HZ, ()),
        isolated,
        _phrases(digits[: PHRASE_WORDS * MOST_PHRASES]),
        files,
        long,
        repeats * len(samples) / RATE_HZ,
    )


def _recordings(given: Sequence[Path]) -> list[Path]:
    found = []
    for path in given:
        inside = (
            sorted(each for each in path.rglob("*") if each.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        )
        if not inside:
            raise AudioError(f"{path}: holds no WAV or FLAC file; name a folder of recordings")
        found += inside
    return found


def _recording(path: Path) -> Recording:
    return Recording(path, "", path.stem, "given", "speech")


def _words(speakers: frozenset[str], scratch: Path) -> tuple[str, list[Recording], list[Recording]]:
    """Where words come from; those that are digits, in a drawn order; and others."""
    if corpora := os.environ.get("DIGITD_CORPORA"):
        origin, found = f"people of {corpora}", manifest.read(Path(corpora))
    else:
        folder = scratch / "voices"
        folder.mkdir()
        shutil.copy(str(importlib.resources.files("digitd.export.bench") / synthetic.DESCRIPTION), folder)
        logger.info("espeak-ng and flite speak the words")
        origin, found = "espeak-ng and flite", synthetic.read(folder)
    if speakers:
        origin, found = f"{origin}: {', '.join(sorted(speakers))}", [each for each in found if each.speaker in speakers]
    words = [each for each in found if each.kind == "word"]
    order = np.random.default_rng(SEED).permutation(len(words))
    drawn = [words[n] for n in order]
    digits = [each for each in drawn if each.label in map(str, range(len(DIGIT_WORDS)))]
    if not digits:
        raise CorpusError(f"{origin}: no recording of a digit; name other --speakers or unset DIGITD_CORPORA")
    return origin, digits, [each for each in drawn if each not in set(digits)]


def _continuous(words: Sequence[Recording]) -> Samples:
    """CONTINUOUS_S of words, a breath apart, in a drawn order."""
    generator = np.random.default_rng(SEED)
    pieces: list[Samples] = []
    while sum(map(len, pieces)) < CONTINUOUS_S * RATE_HZ:
        pieces += [_word(words[int(generator.integers(len(words)))]), _silence(generator.uniform(*BREATH_S))]
    return _in_hiss(pieces, generator)[: int(CONTINUOUS_S * RATE_HZ)]


def _phrases(digits: Sequence[Recording]) -> Stream:
    """PHRASE_WORDS a breath apart, then PHRASE_PAUSE_S."""
    generator = np.random.default_rng(SEED)
    pieces, words = [_silence(PHRASE_PAUSE_S)], []
    for number, digit in enumerate(digits, start=1):
        begin_s, word = sum(map(len, pieces)) / RATE_HZ, _word(digit)
        words.append(Word(digit.label, digit.speaker, begin_s, begin_s + len(word) / RATE_HZ, digit.corpus))
        last = number % PHRASE_WORDS == 0
        pieces += [word, _silence(PHRASE_PAUSE_S if last else generator.uniform(*BREATH_S))]
    return Stream(_in_hiss(pieces, generator), RATE_HZ, tuple(words))


def _word(recording: Recording) -> Samples:
    """Cut close, at one level."""
    samples = at_rate(recording, RATE_HZ)
    begin_s, end_s = span_s(levels(samples, RATE_HZ))
    word = samples[int(begin_s * RATE_HZ) : int(end_s * RATE_HZ)]
    return np.asarray(word * (PEAK / max(float(np.abs(word).max(initial=0.0)), 1e-9)), np.float32)


def _silence(length_s: float) -> Samples:
    return np.zeros(round(length_s * RATE_HZ), np.float32)


def _in_hiss(pieces: Sequence[Samples], generator: np.random.Generator) -> Samples:
    speech = np.concatenate(pieces)
    hiss = generator.standard_normal(len(speech)) * 10 ** (compose.HISS_DBFS / 20)
    return np.asarray(np.clip(speech + hiss, -1, 1), np.float32)
