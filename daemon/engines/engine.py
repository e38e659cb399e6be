"""What Spotter and Recogniser ask of whatever runs a network."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from digitd.daemon.bundle import Bundle
from digitd.daemon.engines.provider import parse_provider


class Engine(Protocol):
    """A bundle's graph, ready to run."""

    runs: int
    run_s: float
    """How often it ran, and the time that took together."""

    @property
    def provider(self) -> str:
        """Where it runs."""
        ...

    def run(self, outputs: list[str], feeds: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The outputs of that name, in that order."""
        ...

    def prove(self, outputs: list[str], feeds: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """`run`, for the first time, with the golden vector's features."""
        ...

    def compare_features(self, found: NDArray[np.float32], golden: NDArray[np.float32]) -> None:
        """Raises BundleError where features are not those of the release."""
        ...

    def compare_posteriors(self, found: NDArray[np.float32], golden: NDArray[np.float32], n_outputs: int) -> None:
        """Raises BundleError where posteriors are not those of the release, or not `n_outputs` at a time."""
        ...


def open_engine(bundle: Bundle, provider: str) -> Engine:
    """The engine that a provider names; the libraries of the others are not loaded.

    Raises:
        BundleError: ONNX Runtime cannot read the network.
        EndpointError: no server answers, or not with this network.
        ProviderError: CUDA was asked for and is not in use.
        ValueError: `provider` names nothing.
    """
    place = parse_provider(provider)
    if isinstance(place, tuple):
        from digitd.daemon.engines.kserve import KServe

        return KServe(bundle, place)
    from digitd.daemon.session import Session

    return Session(bundle, place)
