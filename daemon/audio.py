"""Blocks of any size, rate and channel count -> live chunks of mono samples at the rate that the network hears."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import soxr
from numpy.typing import NDArray

from digitd.daemon.errors import AudioError

Samples = NDArray[np.float32]

LIVE_CHUNK_MS = 20
"""A file fed fast, a pipe and a microphone are all taken in by pieces of this length: they give the same events."""

AT_ONCE_CHUNKS = 40
"""So many chunks are looked ahead in what has come already: 0.8 s."""

FAST_RESAMPLING = "LQ"
"""soxr's quality for wide-band sources: 20 ms of delay at 48 kHz where HQ costs 37, flat up to 0.67 of 8 kHz."""
FULL_RESAMPLING = "HQ"
"""soxr's quality for narrow-band sources, whose whole band is listened to; 115 ms of delay at 8 kHz."""
NARROW_BAND_HZ = 12000
"""Sources of a lower rate are narrow-band."""

LOWEST_RATE_HZ = 1000
HIGHEST_RATE_HZ = 768000
"""Rates outside these are no audio but a damaged header."""

LOUDEST = np.float32(1000)
"""Samples of floating point may go over full scale, but not by 60 dB."""

FULL_SCALE = np.float32(0.999)
"""A sample of at least so much was as loud as can be, or louder."""

PCM16_SCALE = np.float32(1 / 32768)
"""s16 full scale -> [-1, 1)."""


Gap = Literal["overrun", "back"]
"""Why samples are missing: they were lost, or the source was away."""


@dataclass(frozen=True)
class Block:
    """What a source hands over: some frames as they came, after a gap where the source lost some."""

    frames: Samples
    """float32 [n_frames, n_channels], full scale 1."""
    dropped_frames: int = 0
    """Frames that were lost right before this block."""
    gap: Gap = "overrun"
    """Why, where frames were lost."""
    captured_s: float | None = None
    """When the last frame came, by the monotonic clock; None where that is not known."""


@dataclass(frozen=True)
class Chunk:
    """A piece of the stream that the network hears."""

    samples: Samples
    """float32 [n_samples], mono."""
    start_sample: int
    """Position of the first sample since the stream began, at the network's rate."""
    taken_in_s: float
    """How much of the stream has been taken in, this chunk included."""
    dropped_s: float = 0.0
    """Length of the gap right before this chunk."""
    gap: Gap | None = None
    """Why samples are missing right before it; None where it follows on what was before."""
    reloaded: bool = False
    """Whether the stages begin anew with it, by other settings."""
    peak: float = 0.0
    """Of the samples as they came, full scale 1."""
    full_scale_share: float = 0.0
    """Share of the samples that came at full scale."""
    ahead: tuple[Samples, ...] = ()
    """Samples of the chunks that follow without a gap and have come already: what can be is computed with them."""

    @property
    def fresh(self) -> bool:
        """Whether nothing that was before belongs to it."""
        return self.reloaded or self.gap is not None


def from_pcm16(raw: bytes, channels: int) -> Samples:
    """float32 [n_frames, channels] of interleaved little-endian s16."""
    return np.frombuffer(raw, "<i2").astype(np.float32).reshape(-1, channels) * PCM16_SCALE


def mixed_down(frames: Samples) -> Samples:
    """float32 [n_frames], the mean of the channels of float32 [n_frames, n_channels]."""
    mono: Samples = frames[:, 0] if frames.shape[1] == 1 else frames.mean(axis=1)
    return mono


def _sound_frames(frames: Samples) -> int:
    """How many frames come before the first that holds no sample."""
    if np.abs(frames).max(initial=0) <= LOUDEST:  # false for NaN too
        return len(frames)
    return int(np.argmin((np.abs(frames) <= LOUDEST).all(axis=1)))


class Intake:
    """Checks, mixes down, cuts into live chunks and resamples one stream."""

    def __init__(self, source_rate_hz: int, rate_hz: int) -> None:
        if not LOWEST_RATE_HZ <= source_rate_hz <= HIGHEST_RATE_HZ:
            raise AudioError(f"a rate of {source_rate_hz} Hz cannot be heard; give the recording's true rate")
        self._source_rate_hz = source_rate_hz
        self._rate_hz = rate_hz
        self._waiting = np.zeros(0, np.float32)  # mono, at the source's rate, less than a live chunk
        self._taken_frames = 0  # of the source, gaps included, `_waiting` not
        self._next_sample = 0  # of the output
        self._dropped_s = 0.0
        self._gap: Gap | None = None
        self._start_resampler()

    def push(self, block: Block) -> Iterator[Chunk]:
        """Chunks that are complete with `block`.

        Raises:
            AudioError: a sample is no sample; all before it is taken in.
        """
        if block.dropped_frames:
            yield from self._skip(block.dropped_frames, block.gap)
        whole = _sound_frames(block.frames)
        self._waiting = np.concatenate([self._waiting, mixed_down(block.frames[:whole])])
        while chunks := list(itertools.islice(self._chunks(), AT_ONCE_CHUNKS)):
            if len(chunks) > 1:
                chunks[0] = replace(chunks[0], ahead=tuple(chunk.samples for chunk in chunks[1:]))
            yield from chunks
        if whole < len(block.frames):
            at_s = (self._taken_frames + len(self._waiting)) / self._source_rate_hz
            raise AudioError(
                f"a sample at {at_s:.3f} s is NaN or infinite or {LOUDEST:g} times full scale; repair or re-record it"
            )

    def _chunks(self) -> Iterator[Chunk]:
        while len(self._waiting) >= (length := self._live_chunk_frames()):
            piece, self._waiting = self._waiting[:length], self._waiting[length:]
            yield self._take_in(piece)

    def finish(self) -> Iterator[Chunk]:
        """What is left at the end of the stream."""
        piece, self._waiting = self._waiting, self._waiting[:0]
        last = self._take_in(piece, last=True)
        self._start_resampler()
        if len(last.samples):
            yield last

    def _skip(self, dropped_frames: int, gap: Gap) -> Iterator[Chunk]:
        """Close the stream before a gap, and go on after it: a gap is a gap in time, never glued."""
        yield from self.finish()
        self._gap = gap
        self._taken_frames += dropped_frames
        self._dropped_s += dropped_frames / self._source_rate_hz
        self._next_sample = round(self._taken_frames * self._rate_hz / self._source_rate_hz)

    def _live_chunk_frames(self) -> int:
        """Frames to the next multiple of LIVE_CHUNK_MS, also where that is no whole number of frames (11,025 Hz)."""
        chunks_taken = self._taken_frames * 1000 // (LIVE_CHUNK_MS * self._source_rate_hz)
        next_end = -(-(chunks_taken + 1) * LIVE_CHUNK_MS * self._source_rate_hz // 1000)  # rounded up
        return next_end - self._taken_frames

    def _take_in(self, piece: Samples, *, last: bool = False) -> Chunk:
        self._taken_frames += len(piece)
        peak = float(np.abs(piece).max(initial=0))
        full_scale_share = float((np.abs(piece) >= FULL_SCALE).mean()) if peak >= FULL_SCALE else 0.0
        if self._resampler is not None:
            piece = self._resampler.resample_chunk(piece, last=last)
        taken_in_s = self._taken_frames / self._source_rate_hz
        chunk = Chunk(
            piece,
            self._next_sample,
            taken_in_s,
            self._dropped_s,
            self._gap,
            peak=peak,
            full_scale_share=full_scale_share,
        )
        self._next_sample += len(piece)
        self._dropped_s, self._gap = 0.0, None
        return chunk

    def _start_resampler(self) -> None:
        self._resampler = None
        if self._source_rate_hz != self._rate_hz:
            quality = FULL_RESAMPLING if self._source_rate_hz < NARROW_BAND_HZ else FAST_RESAMPLING
            self._resampler = soxr.ResampleStream(
                self._source_rate_hz, self._rate_hz, 1, dtype="float32", quality=quality
            )
