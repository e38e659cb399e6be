"""Mel frames of a stream -> posteriors of what has just been said, each frame computed once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from digitd.daemon.bundle import Bundle
from digitd.daemon.engines.engine import open_engine
from digitd.daemon.errors import BundleError
from digitd.daemon.stream_features import MelFrames, MelStream, StreamSpec

STATE = "state"
NEXT_STATE = "next_state"
"""Names in the graph of what one step leaves to the next."""

Posteriors = NDArray[np.float32]
"""float32 [n_outputs, n_labels + 1]: of each digit that it has just ended, and last that none has. Of some streams
together [n_streams, n_outputs, n_labels + 1]."""


class Spotter:
    """A bundle's stream network, ready to run, after it has reproduced the bundle's golden vector.

    Raises:
        BundleError: ONNX Runtime cannot read the network, or it answers otherwise than when it was released.
        ProviderError: CUDA was asked for and is not in use, or no server answers.
    """

    def __init__(self, bundle: Bundle, provider: str = "auto") -> None:
        self.bundle = bundle
        self.session = open_engine(bundle, provider)
        self.provider = self.session.provider
        self._graph = bundle.manifest.graph
        self._prove()

    @property
    def spec(self) -> StreamSpec:
        """What the network sees of a stream."""
        spec = self.bundle.manifest.stream
        assert spec is not None, "a bundle that hears utterances is a Recogniser's"  # noqa: S101 - `open_network` chose
        return spec

    def silence(self) -> NDArray[np.float32]:
        """The state before a stream, float32 [1, state_size]."""
        return np.zeros((1, self.spec.state_size), np.float32)

    def step(self, frames: MelFrames, states: NDArray[np.float32]) -> tuple[Posteriors, NDArray[np.float32]]:
        """Posteriors of the next frames of some streams, and their next states.

        Args:
            frames: float32 [n_streams, n_frames, n_mels], n_frames a multiple of frames_per_output.
            states: float32 [n_streams, state_size].

        Returns:
            float32 [n_streams, n_outputs, n_labels + 1], and float32 [n_streams, state_size].
        """
        posteriors, next_states = self.session.run([self._graph.output, NEXT_STATE], self._feeds(frames, states))
        return posteriors, next_states

    def _feeds(self, frames: MelFrames, states: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        return {self._graph.input: frames, STATE: states}

    def _prove(self) -> None:
        """Reproduce the golden vector, features and posteriors."""
        golden, session = self.bundle.golden, self.session
        session.compare_features(MelStream(self.spec).push(golden.samples), golden.features)
        feeds = self._feeds(golden.features[np.newaxis], self.silence())
        posteriors = session.prove([self._graph.output, NEXT_STATE], feeds)[0][0]
        if len(golden.features) != self.spec.frames_per_output * len(posteriors):
            raise BundleError(
                f"{self.bundle.folder}: {len(golden.features)} frames give {len(posteriors)} posteriors where each "
                f"should take {self.spec.frames_per_output}; release the bundle again with `digitd export`"
            )
        session.compare_posteriors(posteriors, golden.posteriors, len(self.bundle.manifest.labels) + 1)


class SpotterStream:
    """One stream through a spotter: frames come in any number, posteriors go out one an output."""

    def __init__(self, spotter: Spotter) -> None:
        self._spotter = spotter
        self._per_output = spotter.spec.frames_per_output
        self._state = spotter.silence()
        self._waiting = np.zeros((0, spotter.spec.n_mels), np.float32)

    def push(self, frames: MelFrames) -> Posteriors:
        """The outputs that float32 [n_frames, n_mels] completes."""
        self._waiting = np.concatenate([self._waiting, frames])
        whole = len(self._waiting) // self._per_output * self._per_output
        if not whole:
            return np.zeros((0, len(self._spotter.bundle.manifest.labels) + 1), np.float32)
        step, self._waiting = self._waiting[:whole], self._waiting[whole:]
        posteriors: Posteriors = self.push_together([self], step[np.newaxis])[0]
        return posteriors

    @staticmethod
    def push_together(streams: Sequence["SpotterStream"], frames: MelFrames) -> Posteriors:
        """The outputs of some streams of one spotter at once, none of which holds a part of an output.

        Args:
            streams: n_streams of them.
            frames: float32 [n_streams, n_frames, n_mels], n_frames a multiple of frames_per_output.

        Returns:
            float32 [n_streams, n_outputs, n_labels + 1].
        """
        alone = len(streams) == 1
        states = streams[0]._state if alone else np.concatenate([stream._state for stream in streams])
        posteriors, states = streams[0]._spotter.step(frames, states)
        for n, stream in enumerate(streams):
            stream._state = states if alone else states[n : n + 1].copy()  # not the whole round's
        return posteriors
