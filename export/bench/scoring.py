"""What was heard of a recording whose words are known: how many are right, and how long after its end each came."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from digitd.daemon.audio import Samples
from digitd.daemon.events import Digit
from digitd.export.bench.spread import quantiles
from digitd.trainer.compose import Stream
from digitd.trainer.scores import assigned


@dataclass(frozen=True)
class Heard:
    """Digits of one recording by one recogniser."""

    digits: tuple[Digit, ...]
    """`emitted_s` is how much of the recording had been taken in when it came: no machine's speed is in it."""
    cpu_s: float
    """Processor time that it took."""

    def score(self, stream: Stream) -> dict[str, Any]:
        """Share of words right, and seconds from the end of a word to its digit, of words that were right."""
        per_word = assigned(stream.words, self.digits)
        right = [
            found[-1].emitted_s - word.end_s
            for word, found in zip(stream.words, per_word, strict=True)
            if "".join(each.digit for each in found if isinstance(each, Digit)) == word.label
        ]
        wrong = len(self.digits) - len(right)
        return {
            "words": len(stream.words),
            "right": len(right),
            "right_share": len(right) / len(stream.words),
            "other_digits": wrong,
            "latency_s": quantiles(right, 50, 95) if right else None,
        }


def pcm16(samples: Samples) -> bytes:
    """s16le of float32 [n_samples]."""
    return bytes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def shown(score: dict[str, Any]) -> tuple[str, str, str]:
    """Words right, p50 and p95 of the latency, as text."""
    latency = score["latency_s"]
    if latency is None:
        return f"{score['right']} of {score['words']}", "-", "-"
    return f"{score['right']} of {score['words']}", f"{latency['p50']:.3f}", f"{latency['p95']:.3f}"
