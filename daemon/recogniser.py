"""Mel spectrograms -> posteriors, on the provider that was asked for or not at all."""

import logging
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as native

from digitd.daemon.bundle import Bundle
from digitd.daemon.errors import BundleError, ProviderError
from digitd.daemon.features import LogMel

Provider = Literal["auto", "cpu", "cuda"]
Posteriors = NDArray[np.float32]
"""float32 [batch, n_labels]."""

FEATURE_TOLERANCE = 1e-3
"""Largest difference from the golden features (of a range of 1). Processors and FFTs differ by some 1e-5."""
POSTERIOR_TOLERANCE = {"cpu": 1e-3, "cuda": 1e-2}
"""Largest difference from the golden posteriors. A GPU may multiply in TF32 (10-bit mantissa)."""

ONNX_ERRORS = (
    native.EPFail,
    native.Fail,
    native.InvalidArgument,
    native.InvalidGraph,
    native.InvalidProtobuf,
    native.NoSuchFile,
    native.NotImplemented,
    native.RuntimeException,
    ValueError,  # a name or shape that the network does not have
)
"""What ONNX Runtime raises: its exceptions share no base but Exception."""

_PROVIDER_NAMES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

logger = logging.getLogger(__name__)


class Recogniser:
    """A bundle's network, ready to run, after it has reproduced the bundle's golden vector.

    Raises:
        BundleError: ONNX Runtime cannot read the network, or it answers otherwise than when it was released.
        ProviderError: CUDA was asked for and is not in use.
    """

    def __init__(self, bundle: Bundle, provider: Provider = "auto") -> None:
        self.bundle = bundle
        try:
            self._session = open_session(bundle.graph_path, provider)
        except ONNX_ERRORS as error:
            raise BundleError(f"{bundle.folder}: ONNX Runtime cannot read it: {_one_line(error)}") from error
        self.provider = _provider_in_use(self._session)
        if provider == "cuda" and self.provider != "cuda":
            raise ProviderError(
                "provider 'cuda' was asked for but ONNX Runtime runs on the CPU; install digitd[gpu] without "
                "onnxruntime and a CUDA driver, or ask for 'auto' or 'cpu'"
            )
        if provider == "auto":
            logger.info("provider 'auto' took %s", self.provider)
        self._graph = bundle.manifest.graph
        self._prove()

    def posteriors(self, features: NDArray[np.float32]) -> Posteriors:
        """float32 [batch, n_labels] of float32 [batch, n_mels, n_frames]."""
        feeds = {self._graph.input: features[..., np.newaxis]}
        posteriors: Posteriors = self._session.run([self._graph.output], feeds)[0]
        return posteriors

    def _prove(self) -> None:
        """Reproduce the golden vector, features and posteriors."""
        golden, manifest = self.bundle.golden, self.bundle.manifest
        features = LogMel(manifest.features).spectrogram(golden.samples)
        self._compare("features", features, golden.features, FEATURE_TOLERANCE)
        try:
            posteriors = self.posteriors(golden.features[np.newaxis])[0]
        except ONNX_ERRORS as error:
            raise BundleError(f"{self.bundle.folder}: the network does not run: {_one_line(error)}") from error
        if posteriors.shape != (len(manifest.labels),):
            raise BundleError(
                f"{self.bundle.folder}: the network gives {posteriors.shape} posteriors for {len(manifest.labels)} "
                "labels; release the bundle again with `digitd export`"
            )
        self._compare("posteriors", posteriors, golden.posteriors, POSTERIOR_TOLERANCE[self.provider])

    def _compare(self, what: str, found: NDArray[np.float32], golden: NDArray[np.float32], tolerance: float) -> None:
        same_shape = found.shape == golden.shape
        difference = float(np.abs(found - golden).max()) if same_shape else float("inf")
        if not difference <= tolerance:
            raise BundleError(
                f"{self.bundle.folder}: {what} differ from the golden vector by {difference:.2g}, allowed are "
                f"{tolerance:g}; restore the released files, or release again with `digitd export`"
            )


def open_session(path: Path, provider: Provider) -> ort.InferenceSession:
    """A session on one thread that does not spin: the defaults burn a whole core (measured: 1.02 against 0.024 cores).

    Raises one of ONNX_ERRORS.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False  # the arena would hold the largest batch's memory for ever
    options.add_session_config_entry("session.disable_quant_qdq", "1")  # int8 weights: unpacked once, not each time
    options.add_session_config_entry("session.disable_prepacking", "1")  # no second copy of the weights; 10 % slower
    options.log_severity_level = 3
    wanted = ["cpu"] if provider == "cpu" else ["cuda", "cpu"]
    available = ort.get_available_providers()
    names = [_PROVIDER_NAMES[name] for name in wanted if _PROVIDER_NAMES[name] in available]
    return ort.InferenceSession(path, options, providers=names)


def _provider_in_use(session: ort.InferenceSession) -> Literal["cpu", "cuda"]:
    """Only the session tells the truth; `get_available_providers` lists CUDA where it cannot run."""
    return "cuda" if session.get_providers()[0] == _PROVIDER_NAMES["cuda"] else "cpu"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
