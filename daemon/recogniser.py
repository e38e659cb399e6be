"""Mel spectrograms of utterances -> posteriors."""

import numpy as np
from numpy.typing import NDArray

from digitd.daemon.bundle import Bundle
from digitd.daemon.engines.engine import open_engine
from digitd.daemon.features import LogMel, MelSpec

Posteriors = NDArray[np.float32]
"""float32 [batch, n_labels]."""


class Recogniser:
    """A bundle's network, ready to run, after it has reproduced the bundle's golden vector.

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
    def spec(self) -> MelSpec:
        """What the network sees of an utterance."""
        spec = self.bundle.manifest.features
        assert spec is not None, "a bundle that hears a stream is a Spotter's"  # noqa: S101 - `open_network` chose
        return spec

    def posteriors(self, features: NDArray[np.float32]) -> Posteriors:
        """float32 [batch, n_labels] of float32 [batch, n_mels, n_frames]."""
        posteriors: Posteriors = self.session.run([self._graph.output], self._feeds(features))[0]
        return posteriors

    def _feeds(self, features: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        return {self._graph.input: features[..., np.newaxis]}

    def _prove(self) -> None:
        """Reproduce the golden vector, features and posteriors."""
        golden = self.bundle.golden
        self.session.compare_features(LogMel(self.spec).spectrogram(golden.samples), golden.features)
        posteriors = self.session.prove([self._graph.output], self._feeds(golden.features[np.newaxis]))[0][0]
        self.session.compare_posteriors(posteriors, golden.posteriors, len(self.bundle.manifest.labels))
