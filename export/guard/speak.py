"""Makes the guard's recordings with espeak-ng and flite: `python -m digitd.export.guard.speak`."""

import io
import subprocess
import tomllib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from digitd.daemon.audio import Samples
from digitd.export.guard import ASKED_WORDS, FOLDER, RATE_HZ, TAUGHT_DIGITS, TAUGHT_WORDS
from digitd.trainer.corpora import recording
from digitd.trainer.corpora.recording import DIGIT_WORDS

SEED = 7
FLITE_SHARE = 0.35
N_DIGITS = 80
PEAK_DBFS = (-18.0, -6.0)
GAP_S = (0.45, 0.7)
HISS_DBFS = -65.0
AUDIBLE, MARGIN_S = 0.01, 0.025
VOICES = Path(recording.__file__).parent.parent / "templates/voices.toml"
"""Texts and voices of the synthetic corpus."""


class Speaker:
    """Says each text in a voice of its own, of those that the synthetic corpus has."""

    def __init__(self, voices: dict[str, list[str]]) -> None:
        self._voices = voices
        self._generator = np.random.default_rng(SEED)

    def some(self, texts: list[str], n: int) -> list[str]:
        """So many of them."""
        return [str(text) for text in self._generator.permutation(texts)[:n]]

    def say(self, text: str) -> Samples:
        """float32 [n_samples] at RATE_HZ."""
        g = self._generator
        if g.random() < FLITE_SHARE:
            voice, stretch = str(g.choice(self._voices["flite_voices"])), g.uniform(0.8, 1.3)
            command = [
                "flite",
                "-voice",
                voice,
                "--setf",
                f"duration_stretch={stretch:.2f}",
                "-t",
                text,
                "-o",
                "/dev/stdout",
            ]
        else:
            voice = f"{g.choice(self._voices['espeak_accents'])}+{g.choice(self._voices['espeak_variants'])}"
            rate_wpm, pitch = int(g.integers(120, 210)), int(g.integers(25, 75))
            command = ["espeak-ng", "--stdout", "-v", voice, "-s", str(rate_wpm), "-p", str(pitch), text]
        spoken = subprocess.run(command, capture_output=True, check=True).stdout
        samples, rate_hz = soundfile.read(io.BytesIO(spoken), dtype="float32")
        return np.asarray(soxr.resample(samples, rate_hz, RATE_HZ), np.float32)

    def record(self, name: str, texts: Iterable[str]) -> None:
        """Write one recording of all texts, in a drawn order, at drawn levels, in a quiet hiss."""
        g = self._generator
        parts: list[NDArray[np.float64]] = [np.zeros(RATE_HZ)]
        for text in g.permutation(list(texts)):
            samples = self.say(str(text))
            samples = samples / np.abs(samples).max()
            heard = np.flatnonzero(np.abs(samples) > AUDIBLE)
            margin = round(MARGIN_S * RATE_HZ)
            samples = samples[max(0, heard[0] - margin) : heard[-1] + margin]
            parts += [samples * 10 ** (g.uniform(*PEAK_DBFS) / 20), np.zeros(round(g.uniform(*GAP_S) * RATE_HZ))]
        said = np.concatenate(parts)
        said += 10 ** (HISS_DBFS / 20) * g.standard_normal(len(said))
        soundfile.write(FOLDER / name, said, RATE_HZ, format="OGG", subtype="OPUS", compression_level=1.0)


def main() -> None:
    """Make all of them."""
    table = tomllib.loads((VOICES).read_text(encoding="utf-8"))
    speaker = Speaker(table)
    near, everyday, letters, sentences = (words["texts"] for words in table["words"][2:])
    speaker.record(TAUGHT_WORDS, [*near, *everyday, *speaker.some(letters, 12), *sentences])
    speaker.record(TAUGHT_DIGITS, [word for word in DIGIT_WORDS for _ in range(N_DIGITS // len(DIGIT_WORDS))])
    speaker.record(ASKED_WORDS, [*near, *speaker.some(everyday, 40), *sentences])


if __name__ == "__main__":
    main()
