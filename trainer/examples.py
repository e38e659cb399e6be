"""Recordings -> examples: what the network would be shown if the recording were spoken to the daemon."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from digitd.daemon.audio import Block, Intake, Samples, mixed_down
from digitd.daemon.errors import CorpusError
from digitd.daemon.features import LogMel, MelSpec, MelSpectrogram
from digitd.daemon.front_end import FrontEnd
from digitd.daemon.segmenter import SegmenterConfig, Utterance
from digitd.daemon.settings import as_table
from digitd.daemon.sources.recording import RecordingSource
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.room import RoomConfig, placed


@dataclass(frozen=True)
class Examples:
    """Features and labels of one part of a split."""

    features: NDArray[np.float32]
    """float32 [n_examples, n_mels, n_frames]."""
    labels: NDArray[np.int64]
    """int64 [n_examples], indices into the run's labels."""
    sources: NDArray[np.int64]
    """int64 [n_examples]: of which of the recordings each is a take."""
    unheard: int
    """Takes in which the segmenter found no speech; they are in no array."""


def read_mono(path: Path) -> tuple[Samples, int]:
    """float32 [n_samples] and the rate of a WAV or FLAC file.

    Raises:
        AudioError: the file is damaged.
    """
    source = RecordingSource(path)
    try:
        frames = np.concatenate([block.frames for block in source.blocks(Event())])
    finally:
        source.close()
    return mixed_down(frames), source.rate_hz


class Ear:
    """Hears single recordings as the daemon would.

    Args:
        spec: what the network sees.
        room: where each take is placed.
        seed: of all that is drawn.
        speed_range: a take is played up to this share faster or slower, which moves pitch and formants to those of
            another voice; 0 for recordings that are measured on.
    """

    def __init__(self, spec: MelSpec, room: RoomConfig, seed: int, speed_range: float = 0.0) -> None:
        self._log_mel = LogMel(spec)
        self._room = room
        self._seed = seed
        self._speed_range = speed_range

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides what a take sounds like, as a plain table."""
        return {
            "features": as_table(self._log_mel.spec),
            "segmenter": as_table(SegmenterConfig()),
            "room": as_table(self._room),
            "seed": self._seed,
            "speed_range": self._speed_range,
        }

    def takes(self, recording: Recording, n_takes: int) -> Iterator[MelSpectrogram | None]:
        """The recording in so many rooms; None where no speech was found. The same file sounds the same in each run."""
        samples, rate_hz = read_mono(recording.path)
        name = hashlib.sha256(f"{recording.corpus}/{recording.path.name}".encode()).digest()
        generator = np.random.default_rng([self._seed, *name])
        for _ in range(n_takes):
            played_rate_hz = round(rate_hz * (1 + generator.uniform(-self._speed_range, self._speed_range)))
            yield self._heard(placed(samples, rate_hz, self._room, generator), played_rate_hz)

    def _heard(self, samples: Samples, rate_hz: int) -> MelSpectrogram | None:
        spoken = utterances(samples, rate_hz, self._log_mel.spec.sample_rate_hz)
        if not spoken:
            return None
        longest = max(spoken, key=lambda utterance: utterance.end_sample - utterance.start_sample)
        return self._log_mel.spectrogram(longest.samples)


def utterances(samples: Samples, source_rate_hz: int, rate_hz: int) -> list[Utterance]:
    """What the daemon's front end makes of float32 [n_samples]."""
    intake, front_end = Intake(source_rate_hz, rate_hz), FrontEnd(rate_hz, SegmenterConfig())
    found: list[Utterance] = []
    for chunks in (intake.push(Block(samples[:, np.newaxis])), intake.finish()):
        for chunk in chunks:
            found.extend(front_end.push(chunk))
    found.extend(front_end.finish())
    return found


def hear(recordings: Sequence[Recording], labels: Sequence[str], ear: Ear, n_takes: int, title: str) -> Examples:
    """The examples of all recordings, `n_takes` of each.

    Raises:
        AudioError: a file is damaged.
        CorpusError: no speech was found in any.
    """
    features, indices, sources, unheard = [], [], [], 0
    for source, recording in enumerate(tqdm(recordings, desc=f"hearing {title}", unit="file", disable=None)):
        for take in ear.takes(recording, n_takes):
            if take is None:
                unheard += 1
            else:
                features.append(take)
                indices.append(labels.index(recording.label))
                sources.append(source)
    if not features:
        raise CorpusError(f"no speech was found in any of {len(recordings)} recordings for {title}; are they silent?")
    return Examples(np.array(features, np.float32), np.array(indices, np.int64), np.array(sources, np.int64), unheard)
