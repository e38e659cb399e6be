"""Samples of a stream -> mel frames and posteriors: of what has come already, all at once."""

from collections.abc import Sequence

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
        self._frames = np.zeros((0, spec.n_mels), np.float32)  # computed, and not asked for
        self._posteriors = self._stream.push(self._frames)

    def take_in(self, pieces: Sequence[Samples]) -> None:
        """The next samples, each piece float32 [n_samples]."""
        self._waiting += pieces
        self.taken_samples += sum(map(len, pieces))

    def hear(self, n_outputs: int) -> tuple[MelFrames, Posteriors]:
        """The next n_outputs, which are complete with what was taken in, and the frames that they are answers to."""
        if len(self._posteriors) < n_outputs:
            self._compute()
        n_frames = n_outputs * self._frames_per_output
        frames, self._frames = self._frames[:n_frames], self._frames[n_frames:]
        posteriors, self._posteriors = self._posteriors[:n_outputs], self._posteriors[n_outputs:]
        self.heard_outputs += n_outputs
        return frames, posteriors

    def flush(self, n_frames: int) -> Posteriors:
        """The outputs that were not asked for, and those of n_frames of silence after the end."""
        _, due = self.hear(self.taken_samples // self.output_samples - self.heard_outputs)
        rest = self._mel.push(self._joined())
        after = self._stream.push(np.concatenate([rest, np.zeros((n_frames, rest.shape[1]), np.float32)]))
        self.heard_outputs += len(after)
        return np.concatenate([due, after])

    def _compute(self) -> None:
        waiting = self._joined()
        whole = len(waiting) // self.output_samples * self.output_samples
        frames = self._mel.push(waiting[:whole])
        self._waiting = [waiting[whole:]]
        self._frames = np.concatenate([self._frames, frames])
        self._posteriors = np.concatenate([self._posteriors, self._stream.push(frames)])

    def _joined(self) -> Samples:
        waiting, self._waiting = self._waiting, []
        return np.concatenate(waiting) if waiting else np.zeros(0, np.float32)
