"""A network that runs on servers: what `provider` may say, and what is told where no server answers."""

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.conftest import DEMO

from digitd.daemon import bundle
from digitd.daemon.config import DaemonConfig
from digitd.daemon.engines import kserve
from digitd.daemon.engines.provider import Endpoint, parse_provider
from digitd.daemon.errors import ConfigError, EndpointError
from digitd.daemon.listener import open_network
from digitd.daemon.settings import from_table

Digitd = Callable[..., subprocess.CompletedProcess[Any]]


def test_a_provider_names_replicas() -> None:
    assert parse_provider("kserve:http://a:8000/v, grpc://[::1]:8001") == (
        Endpoint("http", "a:8000/v"),
        Endpoint("grpc", "[::1]:8001"),
    )
    assert [parse_provider(name) for name in ("auto", "cpu", "cuda")] == ["auto", "cpu", "cuda"]


@pytest.mark.parametrize(
    "provider",
    [
        *("tpu", "", "kserve:", "kserve:http://a", "kserve:a:80", "kserve:ftp://a:80", "kserve:http://a:80,"),
        *("kserve:http://a:port", "kserve:http://a:99999", "kserve:http://u:p@a:80", "kserve:grpc://a:80/v"),
        *("kserve:http://a:80,http://a:80", "kserve:http://a:80?x=1", "kserve:http://[::1:80", "KSERVE:http://a:80"),
    ],
)
def test_another_is_refused(provider: str) -> None:
    with pytest.raises(ConfigError, match="provider"):
        from_table(DaemonConfig, {"model": {"provider": provider}}, "command line")


def test_a_bad_provider_is_one_line(digitd: Digitd) -> None:
    done = digitd("run", "--source", DEMO, "--provider", "tpu")
    assert done.returncode == 2
    assert done.stderr == (
        "digitd: error: command line: model: provider = 'tpu' must be one of 'auto', 'cpu', 'cuda', or "
        "kserve:http://HOST:PORT or kserve:grpc://HOST:PORT, of several replicas with commas between\n"
    )


@contextmanager
def listening(answer: bytes | None) -> Iterator[str]:
    """HOST:PORT of a server that gives this answer to whatever it is asked, or none at all."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        connections: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connections.append(server.accept()[0])
                except OSError:
                    return
                if answer is not None:
                    connections[-1].recv(1 << 20)
                    connections[-1].sendall(answer)
                    connections[-1].close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:  # else a test that fails would keep the whole run from ending
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in connections:
                connection.close()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tritonclient", reason="needs the extra [kserve]")
    monkeypatch.setattr(kserve, "PATIENCE_S", 0.3)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("scheme", ["http", "grpc"])
@pytest.mark.parametrize("model", ["stranger", "study64"])
def test_no_server_is_told_with_its_address_and_the_remedy(scheme: str, model: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(
        EndpointError, match=rf"^no answer for 0\.3 s from {scheme}://127\.0\.0\.1:{port} \(.+\); start the server"
    ) as told:
        open_network(bundle.load(model), f"kserve:{scheme}://127.0.0.1:{port}")
    assert "\n" not in str(told.value)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_that_says_nothing_is_lost(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitd.daemon.engines.replica.ANSWER_S", 0.2)
    with listening(None) as address, pytest.raises(EndpointError, match=rf"no answer .*{scheme}://{address} \("):
        open_network(bundle.load("stranger"), f"kserve:{scheme}://{address}")


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b'HTTP/1.1 404 Not Found\r\nContent-Length: 22\r\n\r\n{"error":"no network"}', "does not run .*no network"),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "no answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "does not run .*answers without"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "does not run .*cannot be read"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello", "no answer"),
        (b"SSH-2.0-OpenSSH\r\n", "no answer"),
        (b"", "no answer"),
    ],
)
def test_something_else_that_listens_there_is_told(answer: bytes, told: str) -> None:
    with listening(answer) as address, pytest.raises(EndpointError, match=told):
        open_network(bundle.load("stranger"), f"kserve:http://{address}")
