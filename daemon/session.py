"""An ONNX Runtime session of a bundle, on the provider that was asked for or not at all."""

import logging
import os
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it would keep a device id and call its maker
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as native

from digitd.daemon.bundle import Bundle
from digitd.daemon.engines.proof import COARSE_TOLERANCE, EXACT_TOLERANCE, Proof
from digitd.daemon.engines.provider import Local
from digitd.daemon.errors import BundleError, ProviderError

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


class Session(Proof):
    """A bundle's graph, ready to run.

    Raises:
        BundleError: ONNX Runtime cannot read the network.
        ProviderError: CUDA was asked for and is not in use.
    """

    def __init__(self, bundle: Bundle, provider: Local) -> None:
        try:
            self._session = open_session(bundle.graph_path, provider)
        except ONNX_ERRORS as error:
            raise BundleError(f"{bundle.folder}: ONNX Runtime cannot read it: {_one_line(error)}") from error
        self.provider = _provider_in_use(self._session)
        super().__init__(bundle.folder, EXACT_TOLERANCE if self.provider == "cpu" else COARSE_TOLERANCE)
        if provider == "cuda" and self.provider != "cuda":
            raise ProviderError(
                "provider 'cuda' was asked for but ONNX Runtime runs on the CPU; install digitd[gpu] without "
                "onnxruntime and a CUDA driver, or ask for 'auto' or 'cpu'"
            )
        if provider == "auto":
            logger.info("provider 'auto' took %s", self.provider)
        self.runs, self.run_s = 0, 0.0
        """How often it ran, and the time that took together."""

    def run(self, outputs: list[str], feeds: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The outputs of that name, in that order."""
        began_s = time.perf_counter()
        found: list[NDArray[np.float32]] = self._session.run(outputs, feeds)
        self.runs += 1
        self.run_s += time.perf_counter() - began_s
        return found

    def prove(self, outputs: list[str], feeds: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """`run`, for the first time.

        Raises:
            BundleError: the network does not run.
        """
        try:
            return self.run(outputs, feeds)
        except ONNX_ERRORS as error:
            raise BundleError(f"{self._folder}: the network does not run: {_one_line(error)}") from error


def open_session(path: Path, provider: Local) -> ort.InferenceSession:
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
    with redirect_stdout(sys.stderr):  # what it cannot load or falls back from, it prints; standard output is a sink's
        if _PROVIDER_NAMES["cuda"] in names:
            ort.preload_dlls()  # pip's CUDA libraries lie where no loader looks
        session = ort.InferenceSession(path, options, providers=names, enable_fallback=provider == "auto")
    session.disable_fallback()  # while it runs that would be silent
    return session


def _provider_in_use(session: ort.InferenceSession) -> Literal["cpu", "cuda"]:
    """Only the session tells the truth; `get_available_providers` lists CUDA where it cannot run."""
    return "cuda" if session.get_providers()[0] == _PROVIDER_NAMES["cuda"] else "cpu"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
