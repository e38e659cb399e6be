"""The daemon that views attach to: one that runs, or one of their own that never outlives them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tests.conftest import DEMO

from digitd.daemon.attached import attached
from digitd.daemon.errors import SinkError

FLAGS = ["--source", str(DEMO), "--pace", "realtime"]
HOLDER = f"""
import time
from digitd.daemon.attached import attached
with attached(None, {FLAGS!r}) as attachment:
    print(attachment.process.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def usual_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the socket of a user's daemon would be."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("DIGITD_SOCKET", raising=False)
    return tmp_path / "digitd.sock"


def first_line(path: Path) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        line: dict[str, object] = json.loads(client.makefile().readline())
        return line


def test_one_that_is_named_or_runs_is_taken_as_it_is(usual_place: Path) -> None:
    with attached(Path("/named")) as attachment:
        assert (attachment.path, attachment.process) == (Path("/named"), None)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(usual_place))
        listener.listen()
        with attached(None) as attachment:
            assert (attachment.path, attachment.process) == (usual_place, None)


def test_what_a_killed_daemon_left_behind_is_none(usual_place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(usual_place))
    assert usual_place.is_socket()
    taken = None
    with suppress(SinkError), attached(None) as attachment:  # it may find no microphone: that is another story
        taken = attachment.path
    assert taken != usual_place


def test_one_of_our_own_answers_and_ends_with_us() -> None:
    with attached(None, FLAGS) as attachment:
        assert first_line(attachment.path)["type"] == "ready"
    assert attachment.process is not None
    assert attachment.process.returncode == 0
    assert not attachment.path.exists()


def test_one_of_our_own_that_does_not_start_says_why() -> None:
    with pytest.raises(SinkError, match="cannot be read"), attached(None, ["--source", "/nowhere.flac"]):
        pass


def test_one_of_our_own_ends_even_where_we_are_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        daemon = int(holder.stdout.readline())
        holder.send_signal(signal.SIGKILL)
    until_s = time.monotonic() + 5
    while is_alive(daemon):
        assert time.monotonic() < until_s
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether it runs, and is no zombie that nobody waits for."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
