"""The demo through real NVIDIA Triton servers: as here, over either protocol, and through their deaths."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import DEMO, DEMO_DIGITS
from tests.daemon.triton import Triton, installed, run_by_python

from digitd.daemon import bundle
from digitd.export.triton import export
from digitd.export.triton_config import Serving

pytestmark = [pytest.mark.triton, pytest.mark.slow]

WITHOUT_ONNX_RUNTIME = """
import sys
sys.modules["onnxruntime"] = None  # to import it fails
from digitd.__main__ import main
sys.exit(main())
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    for name in ("stranger", "study64"):
        export(bundle.load(name), folder, Serving())
    run_by_python(folder)
    return folder


@pytest.fixture(scope="module")
def servers(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Triton, Triton]]:
    """Two replicas."""
    logs, folder = tmp_path_factory.mktemp("logs"), installed()
    first, second = (Triton(folder, repository, logs / name) for name in ("first.log", "second.log"))
    with first, second:
        yield first, second


def heard(lines: str) -> list[dict[str, Any]]:
    """The events, but for what tells when and where."""
    told = [json.loads(line) for line in lines.splitlines()]
    return [{key: value for key, value in event.items() if key not in {"time", "provider"}} for event in told]


def events(provider: str, model: str) -> list[dict[str, Any]]:
    run = ["run", "--source", str(DEMO), "--sink", "stdout:jsonl", "--model", model, "--provider", provider]
    code = "from digitd.__main__ import main; main()" if provider == "cpu" else WITHOUT_ONNX_RUNTIME
    done = subprocess.run([sys.executable, "-c", code, *run], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return heard(done.stdout)


def digits(found: list[dict[str, Any]]) -> str:
    return "".join(event["digit"] for event in found if event["type"] == "digit")


def about(value: Any) -> Any:
    """Equal to what is the same but for confidences: the server lets ONNX Runtime fuse what the daemon does not."""
    if isinstance(value, dict):
        return {key: about(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [about(inner) for inner in value]
    return pytest.approx(value, abs=2e-3) if isinstance(value, float) else value


@pytest.mark.parametrize("model", ["stranger", "study64"])
def test_the_events_are_those_of_this_machine_and_no_onnx_runtime_is_loaded(
    servers: tuple[Triton, Triton], model: str
) -> None:
    here = events("cpu", model)
    assert digits(here) == DEMO_DIGITS
    for url in (servers[0].http, servers[0].grpc):
        assert events(f"kserve:{url}", model) == about(here)


class Daemon:
    """`digitd run` of the demo as it was spoken; `until_digit` waits for the first."""

    def __init__(self, provider: str) -> None:
        run = ["run", "--source", DEMO, "--pace", "realtime", "--sink", "stdout:jsonl", "--provider", provider]
        command = [sys.executable, "-m", "digitd", *map(str, run)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._lines: list[str] = []
        self.pid = self._process.pid

    def until_digit(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)
            if json.loads(line)["type"] == "digit":
                return
        pytest.fail(f"no digit: {self._process.communicate()[1]}")

    def end(self) -> tuple[int, list[dict[str, Any]], str]:
        """Status, all events, what was said beside them."""
        stdout, stderr = self._process.communicate(timeout=60)
        return self._process.returncode, heard("".join(self._lines) + stdout), stderr


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_a_server_that_dies_and_comes_back_costs_no_digit(servers: tuple[Triton, Triton], scheme: str) -> None:
    url = getattr(servers[0], scheme)
    daemon = Daemon(f"kserve:{url}")
    daemon.until_digit()
    servers[0].kill()
    servers[0].start()
    status, found, told = daemon.end()
    servers[0].wait()
    assert (status, digits(found)) == (0, DEMO_DIGITS)
    assert found == about(events("cpu", "stranger"))
    assert told.startswith(f"digitd: WARNING: {url}: ")
    assert told.count("\n") == 1


def test_of_two_replicas_one_may_die(servers: tuple[Triton, Triton]) -> None:
    daemon = Daemon(f"kserve:{servers[0].http},{servers[1].grpc}")
    daemon.until_digit()
    asked = servers[daemon.pid % 2]
    asked.kill()
    status, found, told = daemon.end()
    asked.start()
    asked.wait()
    assert (status, digits(found)) == (0, DEMO_DIGITS)
    assert told.count("\n") == 1, "the replica that it was asking is the one that died"


def test_servers_that_stay_away_end_the_daemon_with_one_line(servers: tuple[Triton, Triton]) -> None:
    daemon = Daemon(f"kserve:{servers[0].http}")
    daemon.until_digit()
    servers[0].kill()
    status, found, told = daemon.end()
    servers[0].start()
    servers[0].wait()
    assert status == 2
    last = told.splitlines()[-1]
    assert last.startswith(f"digitd: error: no answer for 15 s from {servers[0].http} (")
    assert last.endswith("; start the server, or name others in `provider`")
    assert len(told.splitlines()) == 2
    assert [event["seq"] for event in found] == list(range(len(found)))
