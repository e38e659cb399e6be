"""How loud the room and the voice are, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from digitd.daemon.audio import FULL_SCALE, Samples
from digitd.daemon.signal_watch import CLIPPING_SHARE
from digitd.daemon.vad import FRAME_MS, SILENCE_DBFS

LOUDEST_DBFS, QUIETEST_DBFS = -3.0, -30.0
"""Where the loudest sample of a voice should lie."""
WANTED_DBFS = -12.0
"""Where it is set to: a word may come out twice as loud as those that were measured, and does not clip."""
LEAST_SNR_DB, GOOD_SNR_DB = 10.0, 20.0
"""Below the first, one word in ten or more is missed; above the second noise costs nothing that can be measured."""
HEARD_SNR_DB = 6.0
"""What stands out of the room by less is no voice."""
NOISY_DBFS = -50.0
SPEECH_RANGE_DB, ABOVE_ROOM_DB = 20.0, 4.0
"""Of a voice, the frames that are so near to its loudest count, and stand out of the room by so much."""

Verdict = Literal["good", "too quiet", "too loud", "clipping", "noisy", "unheard"]


@dataclass(frozen=True)
class Room:
    """The background while nobody speaks."""

    median_dbfs: float
    loudest_dbfs: float
    """Of its frames, but for one in twenty."""
    silent: bool
    """Whether nothing but zeros came: no room is so quiet, a microphone that is muted is."""

    def __str__(self) -> str:
        """`-62 dBFS (up to -55)`."""
        return f"{self.median_dbfs:.0f} dBFS (up to {self.loudest_dbfs:.0f})"


@dataclass(frozen=True)
class Voice:
    """Speech, against full scale and against the room."""

    peak_dbfs: float
    """Its loudest sample."""
    speech_dbfs: float
    """Median of the frames in which something is said."""
    full_scale_share: float
    """Of the samples that are as loud as can be, in the worst of the recordings."""
    snr_db: float

    @property
    def verdict(self) -> Verdict:
        """What is wrong with it first of all."""
        if self.snr_db < HEARD_SNR_DB:
            return "unheard"
        if self.full_scale_share >= CLIPPING_SHARE:
            return "clipping"
        if self.peak_dbfs > LOUDEST_DBFS:
            return "too loud"
        if self.peak_dbfs < QUIETEST_DBFS:
            return "too quiet"
        return "noisy" if self.snr_db < LEAST_SNR_DB else "good"

    @property
    def gain_db(self) -> float:
        """By how much to turn the microphone up; negative, down. One that clips is louder than it looks."""
        return WANTED_DBFS - self.peak_dbfs - (6.0 if self.verdict == "clipping" else 0.0)

    def __str__(self) -> str:
        """`peak -14 dBFS, 31 dB above the room: good`."""
        return f"peak {self.peak_dbfs:.0f} dBFS, {self.snr_db:.0f} dB above the room: {self.verdict}"


def room(samples: Samples, rate_hz: int) -> Room:
    """Of float32 [n_samples]."""
    levels = frame_levels_dbfs(samples, rate_hz)
    return Room(float(np.median(levels)), float(np.percentile(levels, 95)), not np.abs(samples).max(initial=0))


def voice(recordings: Sequence[Samples], rate_hz: int, room_dbfs: float | None) -> Voice:
    """Of several float32 [n_samples] in which something is said; without a room's level, their own quiet counts."""
    levels = np.concatenate([frame_levels_dbfs(samples, rate_hz) for samples in recordings])
    peak = max(float(np.abs(samples).max(initial=0)) for samples in recordings)
    clipped = max(float((np.abs(samples) >= FULL_SCALE).mean()) for samples in recordings)
    background = float(np.percentile(levels, 10)) if room_dbfs is None else room_dbfs
    loudest = float(np.percentile(levels, 99))
    spoken_levels = levels[levels >= max(loudest - SPEECH_RANGE_DB, min(background + ABOVE_ROOM_DB, loudest))]
    spoken = float(np.median(spoken_levels))
    return Voice(dbfs(peak), spoken, clipped, spoken - background)


def frame_levels_dbfs(samples: Samples, rate_hz: int) -> Samples:
    """float32 [n_frames] of float32 [n_samples], of one frame at least."""
    length = rate_hz * FRAME_MS // 1000
    whole = samples[: len(samples) // length * length].reshape(-1, length)
    power = np.maximum((whole**2).mean(axis=1), 10 ** (SILENCE_DBFS / 10)) if len(whole) else np.full(1, 1e-12)
    return np.asarray(10 * np.log10(power), np.float32)


def dbfs(amplitude: float) -> float:
    """Of an amplitude, full scale 1."""
    return max(SILENCE_DBFS, float(20 * np.log10(amplitude))) if amplitude > 0 else SILENCE_DBFS
