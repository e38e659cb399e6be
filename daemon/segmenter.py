"""Frames -> utterances: stretches of speech with a little of what stood before and after."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from digitd.daemon.audio import Samples
from digitd.daemon.settings import setting
from digitd.daemon.vad import FRAME_MS, SILENCE_DBFS, Frame

PEAK_HELD_FRAMES = 30
"""So long after an utterance its loudest frame still tells speech from WebRTC's hangover, which is shorter."""


@dataclass(frozen=True)
class SegmenterConfig:
    """Limits made for digits: a spoken digit lasts 0.14 to 2.3 s, one in twenty less than 0.25 s."""

    vad_mode: int = setting(1, at_least=0, at_most=3)
    """WebRTC's aggressiveness. 1 loses no word down to -45 dBFS; what else it lets through, the network rejects."""
    onset_ms: int = setting(20, at_least=10, at_most=200)
    """So much unbroken speech opens an utterance."""
    min_speech_ms: int = setting(60, at_least=10, at_most=1000)
    """An utterance with less speech than this is a click and is dropped."""
    hangover_ms: int = setting(200, at_least=20, at_most=2000)
    """So much silence closes an utterance. Shorter splits "six" and "eight" at their closures, longer is late."""
    level_range_db: float = setting(30.0, at_least=10, at_most=90)
    """A frame so far below the utterance's loudest is silence, whatever WebRTC's own hangover still says."""
    min_level_dbfs: float = setting(-60.0, at_least=-120, at_most=0)
    """An utterance whose loudest frame is below this is a change of the background's hiss and is dropped."""
    pre_roll_ms: int = setting(100, at_least=0, at_most=1000)
    """Kept from before the onset: unvoiced beginnings (six, three) are heard late."""
    post_roll_ms: int = setting(100, at_least=0, at_most=1000)
    """Kept from after the last speech."""
    max_utterance_ms: int = setting(3000, at_least=500, at_most=30000)
    """Speech without a pause is cut into pieces of this length, so that memory stays bounded."""

    def __post_init__(self) -> None:
        if self.post_roll_ms > self.hangover_ms:
            raise ValueError(
                f"post_roll_ms = {self.post_roll_ms} is longer than hangover_ms = {self.hangover_ms}; make it shorter"
            )
        if self.min_speech_ms > self.max_utterance_ms:
            raise ValueError(
                f"min_speech_ms = {self.min_speech_ms} is longer than max_utterance_ms = {self.max_utterance_ms}; "
                "no utterance could pass"
            )


@dataclass(frozen=True)
class Utterance:
    """One stretch of speech."""

    samples: Samples
    """float32 [n_samples], pre-roll and post-roll included."""
    start_sample: int
    """Where the speech begins in the stream (not its pre-roll)."""
    end_sample: int
    """Where the speech ends in the stream (not its post-roll)."""


class Segmenter:
    """A state machine over frames: quiet -> speaking at an onset, back after a hangover."""

    def __init__(self, config: SegmenterConfig) -> None:
        self._config = config
        self._quiet_until_sample = 0
        self._onset_frames = _frames(config.onset_ms)
        self._hangover_frames = _frames(config.hangover_ms)
        self._pre_roll_frames = _frames(config.pre_roll_ms)
        self._post_roll_frames = _frames(config.post_roll_ms)
        self._min_speech_frames = _frames(config.min_speech_ms)
        self._max_frames = _frames(config.max_utterance_ms)
        self._reset()

    @property
    def quiet_until_sample(self) -> int:
        """Where the open utterance, or what may become one, begins; else the end of the last frame."""
        return self._frames[self._first_speech].start_sample if self._speaking else self._quiet_until_sample

    def push(self, frame: Frame) -> Iterator[Utterance]:
        """The utterance that `frame` closes, if it closes one; two where a gap and a cut fall together."""
        if frame.after_gap:
            yield from self.finish()
        if self._speaking:
            yield from self._listen(frame)
        else:
            self._wait(frame)

    def finish(self) -> Iterator[Utterance]:
        """The utterance that is open at the end of the stream."""
        if self._speaking:
            yield from self._close()
        self._reset()

    def _reset(self) -> None:
        self._frames: list[Frame] = []
        self._speaking = False
        self._peak_dbfs = SILENCE_DBFS
        self._peak_held_frames = 0
        self._onset_run = 0
        self._speech_frames = 0
        self._first_speech = 0  # indices into _frames
        self._last_speech = 0

    def _is_speech(self, frame: Frame) -> bool:
        return frame.speech and frame.level_dbfs > self._peak_dbfs - self._config.level_range_db

    def _wait(self, frame: Frame) -> None:
        self._peak_held_frames -= 1
        if not frame.speech or self._peak_held_frames < 0:
            self._peak_dbfs = SILENCE_DBFS  # WebRTC's hangover after the last utterance has run out
        self._onset_run = self._onset_run + 1 if self._is_speech(frame) else 0
        self._quiet_until_sample = frame.start_sample + (1 - self._onset_run) * len(frame.samples)
        self._frames.append(frame)
        del self._frames[: -(self._pre_roll_frames + self._onset_frames)]
        if self._onset_run >= self._onset_frames:
            self._speaking = True
            self._first_speech = len(self._frames) - self._onset_frames
            self._last_speech = len(self._frames) - 1
            self._speech_frames = self._onset_frames
            self._peak_dbfs = max(f.level_dbfs for f in self._frames[self._first_speech :])

    def _listen(self, frame: Frame) -> Iterator[Utterance]:
        self._frames.append(frame)
        self._peak_dbfs = max(self._peak_dbfs, frame.level_dbfs)
        if self._is_speech(frame):
            self._last_speech = len(self._frames) - 1
            self._speech_frames += 1
        silent_frames = len(self._frames) - 1 - self._last_speech
        too_long = len(self._frames) - self._first_speech >= self._max_frames
        if silent_frames >= self._hangover_frames or too_long:
            yield from self._close()

    def _close(self) -> Iterator[Utterance]:
        """Emit the open utterance, and keep its last frames as pre-roll of the next."""
        kept = self._frames[: self._last_speech + 1 + self._post_roll_frames]
        if self._speech_frames >= self._min_speech_frames and self._peak_dbfs >= self._config.min_level_dbfs:
            last = self._frames[self._last_speech]
            yield Utterance(
                samples=np.concatenate([f.samples for f in kept]),
                start_sample=self._frames[self._first_speech].start_sample,
                end_sample=last.start_sample + len(last.samples),
            )
        rest, peak_dbfs = self._frames[len(kept) :][-self._pre_roll_frames :], self._peak_dbfs
        self._reset()
        self._frames, self._peak_dbfs, self._peak_held_frames = rest, peak_dbfs, PEAK_HELD_FRAMES


def _frames(duration_ms: int) -> int:
    return max(1, duration_ms // FRAME_MS) if duration_ms else 0
