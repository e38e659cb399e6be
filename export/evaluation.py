"""What a bundle hears of composed recordings, through the daemon's own pipeline."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from digitd.daemon.audio import Block
from digitd.daemon.bundle import Mode
from digitd.daemon.events import Body, Digit, Rejected
from digitd.daemon.pipeline import Pipeline, PipelineConfig
from digitd.daemon.recogniser import Recogniser
from digitd.trainer.compose import Stream, isolated
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.scores import Word, assigned, share_right

STREAM_SEED = 1


@dataclass(frozen=True)
class Heard:
    """A word and the events on it."""

    word: Word
    events: tuple[Digit | Rejected, ...]

    @property
    def right(self) -> bool:
        """Exactly one digit event, and it is the word's."""
        return [event.digit for event in self.events if isinstance(event, Digit)] == [self.word.label]


def listen(recogniser: Recogniser, mode: Mode, recordings: Sequence[Recording]) -> list[Heard]:
    """Each recording as a word of one long recording, with what the daemon makes of it."""
    rate_hz = recogniser.bundle.manifest.features.sample_rate_hz
    stream = isolated(recordings, rate_hz, STREAM_SEED)
    found = [body for body in _bodies(recogniser, mode, stream) if isinstance(body, Digit | Rejected)]
    events = assigned(stream.words, found)
    return [Heard(word, tuple(on_it)) for word, on_it in zip(stream.words, events, strict=True)]


def summary(heard: Sequence[Heard]) -> dict[str, Any]:
    """Shares of words that were segmented at all, right, rejected; latency; each speaker alone."""
    speakers: dict[str, list[bool]] = defaultdict(list)
    for item in heard:
        speakers[item.word.speaker].append(item.right)
    latencies_s = [item.events[-1].emitted_s - item.word.end_s for item in heard if item.right]
    return {
        "words": len(heard),
        "segmented": share_right(sum(bool(item.events) for item in heard), len(heard)),
        "right": share_right(sum(item.right for item in heard), len(heard)),
        "rejected": share_right(sum(any(isinstance(e, Rejected) for e in item.events) for item in heard), len(heard)),
        "latency_s": {f"p{q}": round(float(np.percentile(latencies_s, q)), 3) for q in (50, 95)} if latencies_s else {},
        "speakers": {name: round(float(np.mean(right)), 4) for name, right in sorted(speakers.items())},
    }


def _bodies(recogniser: Recogniser, mode: Mode, stream: Stream) -> list[Body]:
    pipeline = Pipeline(recogniser, mode, stream.rate_hz, PipelineConfig())
    return [*pipeline.push(Block(stream.samples[:, np.newaxis])), *pipeline.finish()]
