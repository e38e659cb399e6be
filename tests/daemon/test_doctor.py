"""`digitd doctor` as a user runs it: what it finds, what it says to do, its exit status."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.conftest import DEMO
from tests.daemon.conftest import COMMAND, Daemon, Pulse

from digitd import models
from digitd.daemon.audio import Samples

LONGEST_S = 12.0
"""Of a whole run, on a machine that does other things as well."""
FILE = ["--source", str(DEMO)]


@dataclass(frozen=True)
class Report:
    """What came of one run."""

    findings: list[dict[str, str]]
    exit_status: int
    took_s: float

    def of(self, what: str) -> dict[str, str]:
        """The one finding of that name."""
        (found,) = [finding for finding in self.findings if finding["what"] == what]
        return found

    def statuses(self) -> dict[str, str]:
        """Of each thing, the last."""
        return {finding["what"]: finding["status"] for finding in self.findings}


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of a session in which nothing runs."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULSE_", "DIGITD_", "XDG_"))}
    folders = dict.fromkeys(("HOME", "XDG_RUNTIME_DIR"), str(tmp_path))
    return kept | folders | {"PULSE_SERVER": f"unix:{tmp_path}/none"}


def doctor(environment: dict[str, str], *flags: str) -> Report:
    """Run it."""
    began_s = time.monotonic()
    command = [*COMMAND, "doctor", "--json", *flags]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    report = Report(
        [json.loads(line) for line in done.stdout.splitlines()], done.returncode, time.monotonic() - began_s
    )
    failed = any(finding["status"] == "fail" for finding in report.findings)
    assert report.exit_status == (1 if failed else 0)
    assert all(bool(finding["remedy"]) == (finding["status"] != "ok") for finding in report.findings)
    assert report.took_s < LONGEST_S
    return report


def test_a_line_for_each_thing_and_one_for_what_to_do(home: dict[str, str], tmp_path: Path) -> None:
    command = [*COMMAND, "doctor", *FILE, "--sink", f"unix:{tmp_path}/nowhere/s"]
    done = subprocess.run(command, env=home, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert "ok    model: 'stranger' (isolated) gives its golden vector; loaded in" in done.stdout
    failure = lines.index(f"fail  socket {tmp_path}/nowhere/s: there is no folder {tmp_path}/nowhere")
    assert lines[failure + 1].startswith(f"      -> mkdir {tmp_path}/nowhere")
    assert all(line.startswith(("ok    ", "warn  ", "fail  ", "      -> ")) for line in lines)


def test_all_is_well_with_a_file(home: dict[str, str]) -> None:
    report = doctor(home, *FILE)
    assert report.exit_status == 0
    looked_at = ["ONNX Runtime", "configuration", "source", "model", "provider", "socket"]
    assert list(report.statuses())[: len(looked_at)] == looked_at
    assert report.of("model")["status"] == "ok"


def test_a_reader_that_leaves_is_no_trouble(home: dict[str, str]) -> None:
    line = f"{' '.join(COMMAND)} doctor {' '.join(FILE)} | head -n 1"
    done = subprocess.run(["sh", "-c", line], env=home, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("ok    ONNX Runtime: onnxruntime ")
    assert done.stderr == ""


@pytest.mark.parametrize("flags", [["--config", "/nowhere/digitd.toml"], ["--provider", "tpu"], ["--source"]])
def test_bad_input_is_one_line_and_exit_status_2(home: dict[str, str], flags: list[str]) -> None:
    done = subprocess.run([*COMMAND, "doctor", *flags], env=home, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "error: " in done.stderr.splitlines()[-1]


def test_a_broken_file_hides_nothing_else(home: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "digitd.toml"
    file.write_text('[model]\nnme = "stranger"\n[source]\nrate_hz = "fast"\n')
    report = doctor(home, "--config", str(file), *FILE)
    found = [finding["finding"] for finding in report.findings if finding["what"] == "configuration"]
    assert sorted(text.partition(": ")[0] for text in found) == [f"{file}:2", f"{file}:4"]
    assert report.of("model")["status"] == "ok"


def test_what_one_check_stumbles_over_hides_no_other(home: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "digitd.toml"
    file.write_text('sinks = ["unix:a\\u0000b"]\n')
    report = doctor(home, "--config", str(file), *FILE)
    assert "null byte" in report.of("socket")["finding"]
    assert [what for what in report.statuses() if "unit" in what]


def test_a_corrupted_bundle_is_told_and_the_rest(home: dict[str, str], tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(models.MODELS_DIR / models.DEFAULT_MODEL, bundle)
    graph = bundle / "model.onnx"
    raw = bytearray(graph.read_bytes())
    raw[len(raw) // 2] ^= 1
    graph.write_bytes(raw)
    report = doctor(home, *FILE, "--model", str(bundle))
    assert f"{graph}: its sha256" in report.of("model")["finding"]
    assert report.of("model")["remedy"] == "restore the released file"
    assert "provider" not in report.statuses()
    assert report.of("socket")["status"] == "ok"


def test_the_doctor_and_the_daemon_agree_on_cuda(home: dict[str, str]) -> None:
    command = [*COMMAND, "run", *FILE, "--provider", "cuda"]
    runs = subprocess.run(command, env=home, capture_output=True, check=False).returncode == 0
    assert doctor(home, *FILE, "--provider", "cuda").of("provider")["status"] == ("ok" if runs else "fail")


def test_two_packages_of_onnx_runtime_are_told(home: dict[str, str], tmp_path: Path) -> None:
    second = tmp_path / "packages/onnxruntime_gpu-1.20.0.dist-info/METADATA"
    second.parent.mkdir(parents=True)
    second.write_text("Metadata-Version: 2.1\nName: onnxruntime-gpu\nVersion: 1.20.0\n")
    report = doctor(home | {"PYTHONPATH": str(second.parent.parent)}, *FILE)
    assert report.of("ONNX Runtime")["status"] == "fail"
    assert "and onnxruntime-gpu 1.20.0 are both installed" in report.of("ONNX Runtime")["finding"]
    assert report.of("model")["status"] == "ok"


@pytest.mark.parametrize(
    ("module", "told"), [("", "its files are gone"), ("raise ImportError('no libx.so')", "no libx.so")]
)
def test_a_broken_onnx_runtime_is_told(home: dict[str, str], tmp_path: Path, module: str, told: str) -> None:
    package = tmp_path / "packages/onnxruntime/__init__.py"
    package.parent.mkdir(parents=True)
    package.write_text(module)
    report = doctor(home | {"PYTHONPATH": str(package.parent.parent)}, *FILE)
    assert len(report.findings) == 1  # nothing else can be imported
    assert told in report.of("ONNX Runtime")["finding"]
    assert "pip install --force-reinstall" in report.of("ONNX Runtime")["remedy"]


def test_a_program_for_a_hook_is_looked_for(home: dict[str, str]) -> None:
    report = doctor(home, *FILE, "--sink", "exec:true", "--sink", "exec:no-such-program x", "--sink", "stdot:text")
    assert report.of("sink exec:true")["status"] == "ok"
    assert "no program 'no-such-program'" in report.of("sink exec:no-such-program x")["finding"]
    assert "'stdout:text'" in report.of("sink stdot:text")["remedy"]


# The microphone.


@contextmanager
def playing(pulse: Pulse, samples: Samples, path: Path) -> Iterator[None]:
    """Samples at 16 kHz come out of the microphone."""
    soundfile.write(path, samples, 16000)
    environment = {**pulse.environment, "PULSE_LATENCY_MSEC": "200"}
    with subprocess.Popen(["paplay", "-d", "fakemic", path], env=environment, stderr=subprocess.DEVNULL) as player:
        time.sleep(0.7)
        yield
        player.kill()
    time.sleep(0.5)


def hiss(level_dbfs: float) -> Samples:
    """Ten seconds of it."""
    return np.random.default_rng(0).normal(0, 10 ** (level_dbfs / 20), 160000).clip(-1, 1).astype(np.float32)


@pytest.mark.microphone
def test_a_microphone_that_hears(pulse: Pulse, demo: Samples, tmp_path: Path) -> None:
    with playing(pulse, np.tile(demo, 3), tmp_path / "x.wav"):
        report = doctor(pulse.environment, "--source", "mic:pulse")
    assert report.exit_status == 0
    assert report.of("audio server")["finding"].startswith("pulseaudio ")
    assert "'fakemic.monitor' hears what the loudspeakers play" in report.of("audio server")["finding"]
    assert report.of("microphone")["finding"].startswith("'pulse' gives 16000 Hz, 1 channel(s)")
    assert report.of("level")["status"] == "ok"
    assert "first sound after 0." in report.of("level")["finding"]


@pytest.mark.microphone
def test_a_muted_microphone_is_silent(pulse: Pulse, demo: Samples, tmp_path: Path) -> None:
    subprocess.run(["pactl", "set-source-mute", "fakemic.monitor", "1"], env=pulse.environment, check=True)
    with playing(pulse, np.tile(demo, 3), tmp_path / "x.wav"):
        level = doctor(pulse.environment, "--source", "mic:pulse").of("level")
    assert level["status"] == "fail"
    assert level["finding"] == "silent: nothing but zeros in 1 s"
    assert "pactl set-source-mute @DEFAULT_SOURCE@ 0" in level["remedy"]


@pytest.mark.microphone
def test_noise_and_clipping_are_told(pulse: Pulse, demo: Samples, tmp_path: Path) -> None:
    clipped = (np.tile(demo, 3) * 60).clip(-1, 1)
    for samples, beginning in ((hiss(-26), "noisy: "), (clipped, "clipping: "), (hiss(-70), "loudest -")):
        with playing(pulse, samples, tmp_path / "x.wav"):
            level = doctor(pulse.environment, "--source", "mic:pulse").of("level")
        assert level["finding"].startswith(beginning)


@pytest.mark.microphone
def test_an_unknown_microphone_lists_those_that_exist(pulse: Pulse) -> None:
    report = doctor(pulse.environment, "--source", "mic:plse")
    assert "did you mean 'pulse'?; there are 'pulse', 'default'" in report.of("microphone")["finding"]
    assert "level" not in report.statuses()


@pytest.mark.microphone
def test_a_daemon_that_records_is_told(pulse: Pulse) -> None:
    daemon = Daemon(source="mic:pulse", environment=pulse.environment)
    try:
        assert daemon.event()["type"] == "ready"
        (capture,) = daemon.children()
        report = doctor(pulse.environment, "--source", "mic:pulse")
    finally:
        daemon.close()
    assert str(capture) in report.of("daemons")["finding"]


@pytest.mark.microphone
def test_a_frozen_audio_server_does_not_hold_it_up(pulse: Pulse) -> None:
    pulse.server.send_signal(signal.SIGSTOP)
    report = doctor(pulse.environment)
    assert report.took_s < 8
    assert "answers none" in report.of("audio server")["finding"]
    assert report.of("microphone")["status"] == "fail"
    assert report.of("model")["status"] == "ok"


@pytest.mark.microphone
def test_without_an_audio_server_there_is_no_microphone(home: dict[str, str]) -> None:
    report = doctor(home, "--source", "mic:pulse")
    assert "none" in report.of("audio server")["finding"]
    assert "no microphone 'pulse'" in report.of("microphone")["finding"]


# The socket.


@pytest.fixture
def listener() -> Iterator[Callable[[Path], socket.socket]]:
    """Listens on a path."""
    opened = []

    def listen(path: Path) -> socket.socket:
        opened.append(socket.socket(socket.AF_UNIX))
        opened[-1].bind(str(path))
        opened[-1].listen()
        return opened[-1]

    yield listen
    for each in opened:
        each.close()


Listen = Callable[[Path], socket.socket]


def test_a_daemon_that_answers(home: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "digitd.sock"  # the session's, as it has XDG_RUNTIME_DIR
    daemon = Daemon("--sink", f"unix:{path}")
    try:
        assert daemon.event()["type"] == "ready"
        found = doctor(home, *FILE).of(f"socket {path}")
    finally:
        daemon.close()
    assert found["finding"] == "digitd answers: model stranger, provider cpu, source -, mode always"


def test_a_stale_socket(home: dict[str, str], tmp_path: Path, listener: Listen) -> None:
    path = tmp_path / "s"
    listener(path).close()
    report = doctor(home, *FILE, "--sink", f"unix:{path}")
    assert report.of(f"socket {path}")["status"] == "warn"
    assert report.of(f"socket {path}")["finding"].startswith("stale: ")
    assert path.is_socket()


def test_sockets_that_are_not_a_daemons(home: dict[str, str], tmp_path: Path, listener: Listen) -> None:
    mute, file, new = tmp_path / "mute", tmp_path / "file", tmp_path / "new"
    long, within = tmp_path / ("x" * 108), file / "s"
    listener(mute)
    file.touch()
    report = doctor(home, *FILE, *(f"--sink=unix:{path}" for path in (mute, file, new, long, within)))
    assert report.of(f"socket {mute}")["finding"].startswith("no event in 2 s")
    assert report.of(f"socket {file}")["finding"] == "is no socket"
    assert report.of(f"socket {new}")["status"] == "ok"
    assert "longer than 107 bytes" in report.of(f"socket {long}")["finding"]
    assert report.of(f"socket {within}")["finding"] == f"there is no folder {file}"


@pytest.mark.parametrize("said", [b"SSH-2.0-x\n", b"", b"[]\n"])
def test_what_answers_and_is_no_daemon(home: dict[str, str], tmp_path: Path, listener: Listen, said: bytes) -> None:
    path = tmp_path / "s"
    listening = listener(path)
    with subprocess.Popen(
        [*COMMAND, "doctor", "--json", *FILE, "--sink", f"unix:{path}"], env=home, stdout=subprocess.PIPE
    ) as running:
        with listening.accept()[0] as connection:
            connection.sendall(said)
        output, _ = running.communicate(timeout=20)
    found = {finding["what"]: finding for finding in map(json.loads, output.splitlines())}[f"socket {path}"]
    assert found["status"] == "fail"
    assert "is no event of schema 1" in found["finding"]


def test_an_unknown_group_of_the_socket(home: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "digitd.toml"
    file.write_text(f'sinks = ["unix:{tmp_path}/s"]\n[socket]\ngroup = "no-such-group"\n')
    found = doctor(home, "--config", str(file), *FILE).of("socket.group")
    assert found["remedy"].startswith("sudo groupadd --system no-such-group")
