"""A bundle's network on servers of the KServe v2 protocol: any replica can run any step, for the state goes along."""

import logging
import os
import time

import numpy as np
from numpy.typing import NDArray

from digitd.daemon.bundle import Bundle, Manifest
from digitd.daemon.engines.proof import COARSE_TOLERANCE, Proof, difference
from digitd.daemon.engines.provider import KSERVE, Endpoint
from digitd.daemon.engines.replica import RefusedError, Replica, UnansweredError
from digitd.daemon.errors import EndpointError

PATIENCE_S = 15.0
"""So long no replica may answer; a server that starts again is back by then."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
"""Between two rounds through all replicas; it doubles."""

logger = logging.getLogger(__name__)


def served_version(manifest: Manifest) -> int:
    """The version under which a server has this very network: it follows from the network's hash.

    So a server may hold several releases of a bundle at once, and each recogniser is answered by its own.
    """
    return int(manifest.graph.sha256[:8], 16) or 1


class KServe(Proof):
    """A bundle's graph on some replicas: each step goes to the one that answered last, else to the next.

    A replica is asked for the golden vector before its first step, and again after each that it left unanswered.

    Raises:
        EndpointError: the client library is not installed.
    """

    def __init__(self, bundle: Bundle, endpoints: tuple[Endpoint, ...]) -> None:
        super().__init__(bundle.folder, COARSE_TOLERANCE)
        self.provider = KSERVE + ",".join(map(str, endpoints))
        self._bundle, self._version = bundle, served_version(bundle.manifest)
        self._replicas = [Replica(endpoint, bundle.manifest.name, self._version) for endpoint in endpoints]
        self._at = os.getpid() % len(self._replicas)  # many processes begin with different ones
        self._golden: tuple[list[str], dict[str, NDArray[np.float32]]] = ([], {})
        self.runs, self.run_s = 0, 0.0
        """How often it ran, and the time that took together."""

    def run(self, outputs: list[str], feeds: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The outputs of that name, in that order.

        Raises:
            EndpointError: no replica answered for PATIENCE_S.
        """
        began_s, pause_s = time.monotonic(), FIRST_PAUSE_S
        problems: dict[Endpoint, str] = {}
        while not problems or time.monotonic() < began_s + PATIENCE_S:
            for _ in self._replicas:
                at = self._at
                replica = self._replicas[at]
                try:
                    self._prove(replica)
                    found = replica.infer(outputs, feeds)
                except UnansweredError as error:
                    if replica.endpoint not in problems:
                        logger.warning("%s: %s", replica.endpoint, error)
                    problems[replica.endpoint] = str(error)
                    self._at = (at + 1) % len(self._replicas)
                else:
                    self.runs += 1
                    self.run_s += time.monotonic() - began_s
                    return found
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        told = ", ".join(f"{endpoint} ({problem})" for endpoint, problem in problems.items())
        raise EndpointError(
            f"no answer for {PATIENCE_S:g} s from {told}; start the server, or name others in `provider`"
        )

    def prove(self, outputs: list[str], feeds: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """`run`, for the first time, after each replica that can be reached has given the golden vector.

        Raises:
            EndpointError: a replica has not this network, or none answered for PATIENCE_S.
        """
        self._golden = outputs, feeds
        for replica in self._replicas:
            try:
                self._prove(replica)
            except RefusedError as error:
                name = self._bundle.manifest.name
                raise EndpointError(
                    f"{replica.endpoint} does not run {name!r} version {self._version}: {error}; serve what "
                    f"`digitd export --target triton {name}` writes"
                ) from error
            except UnansweredError as error:
                logger.warning("%s: %s", replica.endpoint, error)
        return self.run(outputs, feeds)

    def _prove(self, replica: Replica) -> None:
        if replica.proven:
            return
        found = replica.infer(*self._golden)[0][0]
        apart = difference(found, self._bundle.golden.posteriors)
        if not apart <= self._tolerance:
            raise RefusedError(f"its answer differs from the golden vector by {apart:.2g}, not {self._tolerance:g}")
        replica.proven = True
        logger.info("%s answers right", replica.endpoint)
