"""Samples -> mel frames and posteriors: of what has come already, all at once; of many streams, together."""

from collections.abc import Iterable, Sequence

import numpy as np

from digitd.daemon.audio import Samples
from digitd.daemon.spotter import Posteriors, Spotter, SpotterStream
from digitd.daemon.stream_features import MelFrames, MelStream


class Acoustics:
    """One stream through the features and the network.

    A call of the network takes 90 us for one output and 300 for 25, so nothing is computed until an output is asked for
    that is not there yet; then all that has come is.
    """

    def __init__(self, spotter: Spotter) -> None:
        spec = spotter.spec
        self._mel, self._stream = MelStream(spec), SpotterStream(spotter)
        self._frames_per_output = spec.frames_per_output
        self.output_samples = spec.frames_per_output * spec.hop_samples
        """The network answers once in so many samples."""
        self.taken_samples = 0
        """So many have come."""
        self.heard_outputs = 0
        """So many answers were asked for."""
        self._waiting: list[Samples] = []  # not computed
        self._waiting_samples = 0
        self._nothing = np.zeros(0, np.float32)
        self._frames = np.zeros((0, spec.n_mels), np.float32)  # computed, and not asked for
        self._posteriors = self._stream.push(self._frames)

    def take_in(self, pieces: Sequence[Samples]) -> None:
        """The next samples, each piece float32 [n_samples]."""
        self._waiting += pieces
        n_samples = sum(map(len, pieces))
        self._waiting_samples += n_samples
        self.taken_samples += n_samples

    def hear(self, n_outputs: int) -> tuple[MelFrames, Posteriors]:
        """The next n_outputs, which are complete with what was taken in, and the frames that they are answers to."""
        if len(self._posteriors) < n_outputs:
            self.compute([self])
        n_frames = n_outputs * self._frames_per_output
        frames, self._frames = self._frames[:n_frames], self._frames[n_frames:]
        posteriors, self._posteriors = self._posteriors[:n_outputs], self._posteriors[n_outputs:]
        self.heard_outputs += n_outputs
        return frames, posteriors

    def flush(self, n_frames: int) -> Posteriors:
        """The outputs that were not asked for, and those of n_frames of silence after the end."""
        _, due = self.hear(self.taken_samples // self.output_samples - self.heard_outputs)
        rest = self._mel.push(self._pop(self._waiting_samples))
        after = self._stream.push(np.concatenate([rest, np.zeros((n_frames, rest.shape[1]), np.float32)]))
        self.heard_outputs += len(after)
        return np.concatenate([due, after])

    @property
    def lacks(self) -> bool:
        """Whether something has come that outputs can be computed of."""
        return self._waiting_samples >= self.output_samples

    @staticmethod
    def compute(acoustics: Iterable["Acoustics"]) -> None:
        """All outputs of some streams of one network, those of streams from which as much has come in one call."""
        alike: dict[int, list[Acoustics]] = {}
        for each in acoustics:
            alike.setdefault(each._waiting_samples // each.output_samples, []).append(each)
        for n_outputs, together in alike.items():
            if n_outputs:
                _compute_together(together, n_outputs)

    def _pop(self, n_samples: int) -> Samples:
        """So many of those that wait."""
        waiting = self._waiting[0] if len(self._waiting) == 1 else np.concatenate([self._nothing, *self._waiting])
        self._waiting = [waiting[n_samples:]] if n_samples < len(waiting) else []
        self._waiting_samples -= n_samples
        return waiting[:n_samples]

    def _add(self, frames: MelFrames, posteriors: Posteriors) -> None:
        self._frames = np.concatenate([self._frames, frames]) if len(self._frames) else frames
        self._posteriors = np.concatenate([self._posteriors, posteriors]) if len(self._posteriors) else posteriors


def _compute_together(together: Sequence[Acoustics], n_outputs: int) -> None:
    pieces = [each._pop(n_outputs * each.output_samples) for each in together]
    frames = MelStream.push_together([each._mel for each in together], pieces)
    posteriors = SpotterStream.push_together([each._stream for each in together], frames)
    for each, its_frames, its_posteriors in zip(together, frames, posteriors, strict=True):
        each._add(its_frames, its_posteriors)
