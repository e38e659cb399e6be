"""One server that runs networks, asked by NVIDIA's client of the KServe v2 protocol."""

import threading
from http.client import HTTPException
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitd.daemon.engines.provider import Endpoint
from digitd.daemon.errors import EndpointError

CONNECT_S = 1.0
ANSWER_S = 2.0
"""A step takes milliseconds; a server that takes so long is lost."""
_REFUSALS = ("4", "StatusCode.INVALID_ARGUMENT", "StatusCode.NOT_FOUND", "StatusCode.UNIMPLEMENTED")
"""How the status begins where the server is well and does not do it; an HTTP status is of three digits."""
_CHANNEL = (
    ("grpc.use_local_subchannel_pool", 1),  # a new channel connects at once, whatever the last one ran into
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


class UnansweredError(Exception):
    """A replica did not answer; the message says why."""


class RefusedError(UnansweredError):
    """It answered that it does not have this network, or that it cannot run it."""


class Replica:
    """A network on one server; threads may share it.

    Raises:
        EndpointError: the client library is not installed.
    """

    def __init__(self, endpoint: Endpoint, model: str, version: int) -> None:
        self.endpoint, self.proven = endpoint, False
        self._model, self._version = model, str(version)
        self._clients = threading.local()  # the HTTP client is not made for several threads
        self._client()

    def infer(self, outputs: list[str], feeds: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """The outputs of that name, in that order.

        Raises:
            RefusedError: the server does not run this network.
            UnansweredError: the server cannot be reached, or is lost.
        """
        from tritonclient.utils import InferenceServerException

        try:
            found = self._answer(outputs, feeds)
        except InferenceServerException as error:
            self.hang_up()
            refused = str(error.status()).startswith(_REFUSALS)
            raise (RefusedError if refused else UnansweredError)(_one_line(error.message())) from error
        except (OSError, HTTPException) as error:
            self.hang_up()
            raise UnansweredError(_one_line(str(error) or type(error).__name__)) from error
        except ValueError as error:  # no JSON, or arrays that are not of their shapes
            self.hang_up()
            raise RefusedError(f"its answer cannot be read: {_one_line(str(error))}") from error
        if any(array is None for array in found):
            raise RefusedError(f"it answers without one of {', '.join(outputs)}")
        return found

    def hang_up(self) -> None:
        """Connect anew for the next call, and prove the network again."""
        self.proven = False
        self._clients.client.close()
        del self._clients.client

    def _answer(self, outputs: list[str], feeds: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        library, client = _library(self.endpoint), self._client()
        inputs = []
        for name, array in feeds.items():
            inputs.append(library.InferInput(name, list(array.shape), "FP32"))
            inputs[-1].set_data_from_numpy(np.ascontiguousarray(array))
        wanted = [library.InferRequestedOutput(name) for name in outputs]
        limit = {"client_timeout": ANSWER_S} if self.endpoint.scheme == "grpc" else {}
        answer = client.infer(self._model, inputs, self._version, wanted, **limit)
        return [answer.as_numpy(name) for name in outputs]

    def _client(self) -> Any:
        """This thread's."""
        if not hasattr(self._clients, "client"):
            library = _library(self.endpoint)
            options: dict[str, Any] = {"connection_timeout": CONNECT_S, "network_timeout": ANSWER_S}
            if self.endpoint.scheme == "grpc":
                options = {"channel_args": _CHANNEL}
            self._clients.client = library.InferenceServerClient(self.endpoint.address, **options)
        return self._clients.client


def _library(endpoint: Endpoint) -> Any:
    """The client's module for a scheme; the other is not loaded."""
    try:
        if endpoint.scheme == "grpc":
            import tritonclient.grpc as library
        else:
            import tritonclient.http as library
    except (ImportError, RuntimeError) as error:  # the second: it is there without this protocol's part
        raise EndpointError(f"{endpoint} needs NVIDIA's client library: pip install 'digitd[kserve]'") from error
    return library


def _one_line(text: str | None) -> str:
    return " ".join((text or "it does not say why").split())
