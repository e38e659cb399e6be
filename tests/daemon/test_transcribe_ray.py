"""Many recordings through a real Ray cluster on this machine: as one process would, whoever is killed."""

import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from tests.conftest import DEMO, DEMO_DIGITS

pytest.importorskip("ray", reason="needs the extra [ray]")
pytestmark = pytest.mark.ray

Digitd = Callable[..., subprocess.CompletedProcess[Any]]
N_COPIES = 12
WAIT_S = 60.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings at two depths, a broken one, one whose name is no UTF-8, and a file that is none."""
    found = tmp_path_factory.mktemp("recordings")
    (found / "deeper").mkdir()
    for n in range(N_COPIES):
        shutil.copy(DEMO, found / ("deeper" if n % 2 else ".") / f"take {n}.flac")
    (found / "broken.WAV").write_bytes(b"RIFF....")
    shutil.copy(DEMO, found / os.fsdecode(b"caf\xe9.flac"))
    (found / "notes.txt").write_text("no recording")
    return found


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines()[-1] == f"digitd: 1 of {N_COPIES + 2} recordings are broken"
    return done.stdout.splitlines()


def test_a_folder_gives_the_same_in_the_same_order(digitd: Digitd, folder: Path) -> None:
    wanted = lines(digitd("transcribe", "--format", "jsonl", "--processes", 1, folder))
    assert len(wanted) == N_COPIES + 2
    assert wanted == sorted(wanted, key=lambda line: json.loads(line)["file"])
    assert lines(digitd("transcribe", "--format", "jsonl", "--engine", "ray", "--processes", 2, folder)) == wanted


def workers() -> list[int]:
    """The processes of Ray on this machine that transcribe, oldest first."""
    done = subprocess.run(["pgrep", "--full", "ray::MapWorker"], capture_output=True, text=True, check=False)
    return list(map(int, done.stdout.split()))


def until(what: Callable[[], bool]) -> None:
    end_s = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost(digitd: Digitd, tmp_path: Path) -> None:
    samples, rate_hz = soundfile.read(DEMO, dtype="float32")
    for n in range(8):  # a minute and more each
        soundfile.write(tmp_path / f"{n}.flac", np.tile(samples, 10 + n), rate_hz)
    transcribe = ["transcribe", "--format", "jsonl", tmp_path]
    wanted = digitd(*transcribe, "--processes", 1).stdout
    command = [sys.executable, "-m", "digitd", *map(str, transcribe), "--engine", "ray", "--processes", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        os.kill(workers()[0], signal.SIGKILL)
        assert first + process.stdout.read() == wanted
    assert process.returncode == 0


@pytest.mark.slow
def test_a_recording_that_its_workers_die_over_is_given_up(tmp_path: Path) -> None:
    shutil.copy(DEMO, tmp_path / "a.flac")
    soundfile.write(tmp_path / "b.flac", np.zeros(6 * 3600 * 8000, np.int16), 8000)  # for long enough
    shutil.copy(DEMO, tmp_path / "c.flac")
    command = [sys.executable, "-m", "digitd", "transcribe", tmp_path, "--engine", "ray", "--processes", "1"]
    done: list[subprocess.CompletedProcess[str]] = []
    run = partial(subprocess.run, command, capture_output=True, text=True, timeout=2 * WAIT_S, check=False)
    thread = threading.Thread(target=lambda: done.append(run()))
    thread.start()
    for _ in range(3):
        until(lambda: any(map(busy, workers())))
        (worker,) = workers()
        os.kill(worker, signal.SIGKILL)
        until(lambda gone=worker: gone not in workers())  # type: ignore[misc]
    thread.join()
    assert done[0].returncode == 1
    assert [line.split("\t")[3] for line in done[0].stdout.splitlines()] == [DEMO_DIGITS] * 2
    assert "b.flac: 3 workers were lost over it" in done[0].stderr


def busy(pid: int) -> bool:
    """Whether a process has had a core for so long that it can only be at the long recording."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return int(fields[11]) / os.sysconf("SC_CLK_TCK") > 4


@pytest.fixture
def store(folder: Path) -> Iterator[str]:
    """The folder behind a web server, which lists it."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_recordings_may_lie_in_a_store(digitd: Digitd, store: str) -> None:
    here = digitd("transcribe", "--format", "jsonl", "--processes", 1, f"{store}/deeper/", f"{store}/broken.WAV")
    there = digitd(
        "transcribe",
        "--format",
        "jsonl",
        "--engine",
        "ray",
        "--processes",
        2,
        f"{store}/deeper/",
        f"{store}/broken.WAV",
    )
    assert there.stdout == here.stdout
    *heard, broken = map(json.loads, here.stdout.splitlines())
    assert [line["strings"][0]["digits"] for line in heard] == [DEMO_DIGITS] * (N_COPIES // 2)
    assert broken["error"].startswith(f"{store}/broken.WAV: no WAV or FLAC file")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--engine", "ray", "--address", "127.0.0.1:1", DEMO], "no Ray cluster at 127.0.0.1:1: "),
        (["--engine", "ray", "--address", "nonsense", DEMO], "no Ray cluster at nonsense: "),
        (["--address", "127.0.0.1:1", DEMO], "--address 127.0.0.1:1 takes --engine ray"),
        (["--engine", "ray", "--model", "nobody", DEMO], "no bundle 'nobody'"),
        (["--engine", "ray", "/proc/self/fdinfo"], "/proc/self/fdinfo: holds no WAV or FLAC file"),
        (["odd://bucket/of.flac/"], "odd://bucket/of.flac/: nothing here reaches it"),
        (["http://127.0.0.1:1/"], "http://127.0.0.1:1/: "),
    ],
)
def test_what_cannot_be_is_one_line(digitd: Digitd, arguments: list[str], told: str) -> None:
    done = digitd("transcribe", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"digitd: error: {told}")
    assert done.stderr.count("\n") == 1


def test_a_recording_that_is_not_in_the_store_is_broken(digitd: Digitd, store: str) -> None:
    done = digitd("transcribe", "--format", "jsonl", f"{store}/none.flac")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"].startswith(f"{store}/none.flac: cannot be fetched")
