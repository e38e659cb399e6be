"""What an example is run in: its folder, a daemon, words in the microphone, somebody who takes a webhook."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import soundfile
from tests.conftest import DEMO
from tests.daemon.conftest import COMMAND, Pulse
from tests.docs.example import ROOT

LONGEST_S = 120
REPEATS = 20
END_S = 5.0
"""After SIGTERM, so long until SIGKILL."""


def environment_of(folder: Path, given: dict[str, str]) -> dict[str, str]:
    """Of an example: `digitd` is the one of these sources, and nothing of the person who runs the tests is at hand."""
    own = {"XDG_RUNTIME_DIR": folder, "XDG_CONFIG_HOME": folder, "XDG_DATA_HOME": folder, "REPOSITORY": ROOT}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {
        **given,
        "HOME": given.get("PULSE_RUNTIME_PATH", str(folder)),
        **{k: str(v) for k, v in own.items()},
        "PATH": path,
    }


def printed_by(script: str, folder: Path, environment: dict[str, str], until: str = "") -> tuple[str, int | None]:
    """What a script prints, and its exit status; None where it was ended because it had printed `until`."""
    for place in (folder, folder / "tests" / "data"):  # README's examples are typed in a clone
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(DEMO, place / "demo.flac")
    process = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder, env=environment_of(folder, environment), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    printed = b""
    timer = threading.Timer(LONGEST_S, os.killpg, [process.pid, signal.SIGKILL])
    timer.start()
    try:
        while piece := os.read(process.stdout.fileno(), 4096):
            printed += piece
            if until and until.encode() in printed:
                return printed.decode(), None
        return printed.decode(), process.wait()
    finally:
        timer.cancel()
        _end_all_of(process)


def _end_all_of(process: "subprocess.Popen[bytes]") -> None:
    """What an example leaves running ends with it."""
    assert process.stdout is not None
    kill = threading.Timer(END_S, os.killpg, [process.pid, signal.SIGKILL])
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        kill.start()
    while os.read(process.stdout.fileno(), 4096):  # its end is the end of all who write to it
        pass
    process.wait()
    kill.cancel()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.stdout.close()


@contextmanager
def spoken_into(pulse: Pulse) -> Iterator[None]:
    """The demo is said again and again."""
    over = threading.Event()

    def say() -> None:
        while not over.is_set():
            pulse.play(DEMO)

    thread = threading.Thread(target=say)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def daemon(folder: Path) -> Iterator[None]:
    """A daemon at the usual place that hears the demo again and again."""
    samples, rate_hz = soundfile.read(DEMO, dtype="int16")
    soundfile.write(folder / "again.wav", np.tile(samples, REPEATS), rate_hz)
    flags = ["--source", str(folder / "again.wav"), "--pace", "realtime", "--sink", f"unix:{folder / 'digitd.sock'}"]
    with subprocess.Popen([*COMMAND, "run", *flags]) as process:
        while not (folder / "digitd.sock").exists():
            assert process.poll() is None
            time.sleep(0.02)
        try:
            yield
        finally:
            process.terminate()


class _Echo(BaseHTTPRequestHandler):
    """Answers with what it is sent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is told."""


@contextmanager
def webhook() -> Iterator[str]:
    """The address of a server on this machine, in place of Home Assistant's."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
