"""The doctor's checks on machines that are laid out in a folder."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from digitd.daemon.audio import Samples
from digitd.daemon.checks import audio_server, extras, pulse, sockets, sound_cards, units
from digitd.daemon.checks.finding import Finding, warn
from digitd.daemon.checks.holders import daemons, owners
from digitd.daemon.checks.host import Host
from digitd.daemon.checks.level import measured
from digitd.daemon.checks.microphone import taken
from digitd.daemon.checks.provider import missing_libraries, obstacles
from digitd.daemon.checks.user import User, group_name
from digitd.daemon.config import DaemonConfig
from digitd.daemon.metrics import MetricsConfig

SAM = User("sam", 1500, frozenset({"sam", "audio"}), frozenset({"sam"}))
CONFIG = DaemonConfig()


@pytest.fixture
def root() -> Iterator[Path]:
    """A machine's root, which every user may enter, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def put(root: Path) -> Callable[..., Path]:
    """Makes a file of the machine."""

    def made(path: str, text: str = "", mode: int = 0o644) -> Path:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    return made


Put = Callable[..., Path]


@contextmanager
def nobody() -> Iterator[None]:
    """Root may do everything, so that it is somebody else meanwhile."""
    if os.geteuid() != 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


def host(root: Path, user: User = SAM, **environment: str) -> Host:
    return Host(root, {"PULSE_SERVER": f"unix:{root}/none", **environment}, user)


def one(findings: Iterator[Finding]) -> Finding:
    (finding,) = findings
    return finding


# Sound.


def test_no_server_and_no_card(root: Path) -> None:
    assert one(audio_server.examine(host(root), CONFIG)).status == "warn"
    assert one(sound_cards.examine(host(root), CONFIG)).status == "fail"


def test_sound_cards_alone_will_do(root: Path, put: Put) -> None:
    put(
        "proc/asound/cards",
        " 0 [PCH ]: HDA-Intel - HDA Intel PCH\n 1 [Mic ]: USB-Audio - Yeti\n   Blue Yeti at usb-1\n",
    )
    put("dev/snd/pcmC0D0p")
    put("dev/snd/pcmC1D0c", mode=0o666)
    assert one(audio_server.examine(host(root), CONFIG)).status == "ok"
    assert one(sound_cards.examine(host(root), CONFIG)).finding == "Yeti; open to sam"


def test_a_card_that_only_plays(root: Path, put: Put) -> None:
    put("dev/snd/pcmC0D0p")
    assert one(sound_cards.examine(host(root), CONFIG)).finding == "none has an input"


def test_a_card_that_is_not_open(root: Path, put: Put) -> None:
    node = put("dev/snd/pcmC1D0c", mode=0)
    with nobody():
        closed = one(sound_cards.examine(host(root), CONFIG))
    assert (closed.status, closed.finding) == ("fail", f"{node} is not open to sam")
    assert closed.remedy == f"sudo usermod -aG {group_name(node.stat().st_gid)} sam, then log out and in again"


@pytest.mark.parametrize(
    ("group", "beginning"),
    [("video", "sudo usermod -aG video sam"), ("audio", "log out and in again: "), ("sam", "let the group sam")],
)
def test_how_to_get_what_a_group_has(group: str, beginning: str) -> None:
    assert SAM.joining(group).startswith(beginning)


def test_the_session_of_another_user_has_the_microphone(root: Path) -> None:
    (root / "run/user/1000").mkdir(parents=True)
    assert "user 1000 has a session" in one(audio_server.examine(host(root), CONFIG)).finding


@pytest.mark.parametrize("said", [b"", b"\xff" * 20, bytes(20), bytes(3) + b"\x0a" + bytes(26)])
def test_what_is_no_audio_server(root: Path, said: bytes) -> None:
    path = root / "native"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def answer() -> None:
            with listener.accept()[0] as client:
                client.recv(4096)
                client.sendall(said)

        thread = Thread(target=answer)
        thread.start()
        server = pulse.find({"PULSE_SERVER": f"unix:{path}"})
        thread.join()
    assert (server.state, server.address) == ("refuses", str(path))


@pytest.mark.parametrize(
    ("named", "state", "address"),
    [
        ("tcp:sound.example:4713", "remote", "tcp:sound.example:4713"),
        ("{d3adb33f}unix:/none/a /none/b", "absent", "/none/a, /none/b"),
    ],
)
def test_where_an_audio_server_is_looked_for(named: str, state: str, address: str) -> None:
    server = pulse.find({"PULSE_SERVER": named})
    assert (server.state, server.address) == (state, address)


def test_who_holds_a_sound_card(root: Path, put: Put) -> None:
    put("proc/asound/card0/pcm0c/sub0/status", "state: RUNNING\nowner_pid   : 41\n")
    put("proc/asound/card1/pcm0c/sub0/status", "state: RUNNING\nowner_pid   : 42\n")
    put("proc/asound/card2/pcm0c/sub0/status", "closed\n")
    put("proc/41/cmdline", "/usr/bin/pipewire\0")
    put("proc/42/cmdline", "python\0-m\0digitd.daemon.sources.capture\x0016000\0")
    assert owners(host(root)) == ["pipewire (pid 41)", "digitd (pid 42)"]
    assert daemons(host(root)) == [42]
    assert taken(host(root), "busy").finding == "held by pipewire (pid 41), digitd (pid 42); its level is not measured"
    put("proc/42/cmdline", "arecord\0")
    assert taken(host(root), "busy").remedy.startswith("close pipewire (pid 41), arecord (pid 42); or")


def sine(amplitude: float, offset: float = 0.0) -> Samples:
    """A second at 16 kHz, one channel."""
    return (offset + amplitude * np.sin(np.arange(16000) * 2 * np.pi / 16)).astype(np.float32)[:, np.newaxis]


def test_the_level_of_a_tone() -> None:
    level = measured(sine(0.5), 16000)
    assert level.loudest_dbfs == pytest.approx(-6.02, abs=0.01)
    assert level.median_dbfs == pytest.approx(-9.03, abs=0.01)
    assert level.floor_dbfs == pytest.approx(-9.03, abs=0.01)
    assert (level.full_scale_share, level.zero_frames) == (0, 1)


def test_a_card_whose_zero_is_off_is_not_noisy() -> None:
    assert measured(sine(0.001, offset=0.1), 16000).floor_dbfs == pytest.approx(-63, abs=0.1)


def test_nothing_and_too_much() -> None:
    assert measured(np.zeros((16000, 2), np.float32), 16000).zero_frames is None
    assert measured(np.ones((16000, 2), np.float32), 16000).full_scale_share == 1


# CUDA.


@pytest.fixture
def library(root: Path) -> Path:
    """ONNX Runtime's for CUDA, with a library that it needs and that is gone."""
    folder = root / "packages/onnxruntime/capi"
    folder.mkdir(parents=True)
    needed, library = folder / "libdigitd_needed.so", folder / "libonnxruntime_providers_cuda.so"
    compiled = ["gcc", "-shared", "-x", "c", "/dev/null"]
    subprocess.run([*compiled, "-o", needed, f"-Wl,-soname,{needed.name}"], check=True)
    subprocess.run([*compiled, "-o", library, "-x", "none", "-Wl,--no-as-needed", needed], check=True)
    needed.rename(root / needed.name)
    return library


def test_a_missing_library_is_named(root: Path, put: Put, library: Path) -> None:
    assert missing_libraries(library) == ["libdigitd_needed.so"]
    assert "there is no card" in one(obstacles(host(root), library)).finding
    put("dev/nvidia0")
    *_, missing = obstacles(host(root), library)
    assert missing.finding == "missing libraries: libdigitd_needed.so"
    assert missing.remedy.startswith("pip install 'digitd[gpu]'")


def test_a_library_of_a_package_has_to_be_found_too(root: Path, put: Put, library: Path) -> None:
    put("dev/nvidia0")
    folder = root / "packages/nvidia/cu13/lib"
    folder.mkdir(parents=True)
    (root / "libdigitd_needed.so").rename(folder / "libdigitd_needed.so")
    *_, missing = obstacles(host(root), library)
    assert missing.remedy == f"export LD_LIBRARY_PATH={folder}"


# Extras.


def test_an_extra_that_is_not_installed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = DaemonConfig(metrics=MetricsConfig("127.0.0.1:0"))
    assert one(extras.examine(host(root), config)).status == "ok"
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    assert one(extras.examine(host(root), config)).remedy == "install it with `pip install 'digitd[metrics]'`"


# Sockets.


def test_a_socket_that_is_for_others(root: Path) -> None:
    path = root / "run/digitd/digitd.sock"
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(0o020)
        with nobody():
            denied = one(sockets.examine(host(root), CONFIG))
        assert (denied.status, denied.finding) == ("warn", "sam may not connect")
        assert denied.remedy == SAM.joining(group_name(path.stat().st_gid))
        path.chmod(0)
        with nobody():
            assert "'s alone" in one(sockets.examine(host(root), CONFIG)).remedy


# systemd. What `systemctl show` printed on a real one.

ABSENT = "NRestarts=0\nId=digitd.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n"
SERVICE = """StatusText={text}
Result={result}
NRestarts={restarts}
ExecMainStatus=0
Id=digitd.service
LoadState={load}
ActiveState={active}
SubState={sub}
UnitFileState={file}
"""
SOCKET = """Listen={path} (Stream)
Result=success
Id=digitd.socket
LoadState=loaded
ActiveState=active
SubState={sub}
UnitFileState=enabled
"""
RUNNING = {
    "text": "hears mic, loudest -41 dBFS; mode always",
    "result": "success",
    "restarts": "0",
    "load": "loaded",
    "active": "active",
    "sub": "running",
    "file": "enabled",
}


@pytest.fixture
def systemd(root: Path, put: Put) -> Callable[[str, str], Host]:
    """A machine whose `systemctl show` prints this of the system's manager and that of the user's."""

    def machine(system: str, user: str) -> Host:
        (root / "run/systemd/system").mkdir(parents=True, exist_ok=True)
        put("bin/systemctl", f"#!/bin/sh\ncd {root}/bin && exec /bin/cat ./$1\n", 0o755)
        put("bin/--system", system)
        put("bin/--user", user)
        return host(root, PATH=str(root / "bin"))

    return machine


Systemd = Callable[[str, str], Host]


def service(**properties: str) -> str:
    return SERVICE.format(**RUNNING | properties)


@pytest.mark.parametrize(
    ("system", "status", "finding"),
    [
        (service(), "ok", "runs: hears mic, loudest -41 dBFS; mode always"),
        (service(restarts="3"), "warn", "3 restart(s) since it was started"),
        (service(file="disabled"), "warn", "it is not enabled"),
        (service(active="inactive", sub="dead"), "warn", "enabled, and does not run"),
        (service(active="inactive", sub="dead", file="disabled"), "ok", "installed, not enabled"),
        (service(active="activating", sub="start", text=""), "warn", "activating: no audio has come yet"),
        (
            service(active="activating", sub="auto-restart", result="exit-code"),
            "fail",
            "auto-restart: result exit-code",
        ),
        (service(active="failed", sub="failed", result="watchdog"), "fail", "failed: result watchdog"),
        (service(load="masked", active="inactive", sub="dead"), "warn", "masked"),
        (service(load="bad-setting", active="inactive", sub="dead"), "fail", "cannot be loaded (bad-setting)"),
        (ABSENT, "ok", "not installed"),
        ("", "ok", "does not answer here"),
    ],
)
def test_what_systemd_tells(systemd: Systemd, system: str, status: str, finding: str) -> None:
    first, second = units.examine(systemd(system, ABSENT), CONFIG)
    assert (first.what, first.status) == ("system unit", status)
    assert finding in first.finding
    assert (second.what, second.finding) == ("user unit", "not installed")


def test_a_machine_without_systemd(root: Path) -> None:
    assert one(units.examine(host(root), CONFIG)).finding == "systemd does not run here"


def test_a_users_unit_ends_with_the_session_but_for_linger(systemd: Systemd, put: Put) -> None:
    machine = systemd(ABSENT, service())
    *_, linger = units.examine(machine, CONFIG)
    assert (linger.status, linger.remedy) == ("warn", "loginctl enable-linger sam")
    put("var/lib/systemd/linger/sam")
    *_, linger = units.examine(machine, CONFIG)
    assert linger.status == "ok"


def test_a_socket_of_systemds_is_not_woken(root: Path, systemd: Systemd) -> None:
    path = root / "run/digitd/digitd.sock"
    path.parent.mkdir(parents=True)
    waiting = service(active="inactive", sub="dead") + "\n" + SOCKET.format(path=path, sub="listening")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(0)
        machine = systemd(waiting, ABSENT)
        assert one(sockets.examine(machine, CONFIG)).finding.startswith("systemd listens")
        assert next(units.examine(machine, CONFIG)).finding.startswith("not started; it is when a reader comes")
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_systemctl_that_hangs_is_left_behind(root: Path, put: Put) -> None:
    (root / "run/systemd/system").mkdir(parents=True)
    put("bin/systemctl", "#!/bin/sh\nexec /bin/sleep 60\n", 0o755)
    began_s = time.monotonic()
    found = list(units.examine(host(root, PATH=str(root / "bin")), CONFIG))
    assert time.monotonic() - began_s < 8
    assert all("does not answer" in finding.finding for finding in found)


def test_a_name_cannot_write_to_the_terminal() -> None:
    assert str(warn("x", "a\x1b[2Jb", "c\nd")) == "warn  x: a\\x1b[2Jb\n      -> c\\nd"
