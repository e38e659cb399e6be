"""A machine for the units: systemd as process 1 of its own namespaces, with an installed digitd and a microphone."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.conftest import DEMO

BOOT = Path(__file__).parent / "boot"
NAMESPACES = ["--mount", "--pid", "--cgroup", "--ipc", "--uts", "--net"]
DYING = ["setpriv", "--pdeathsig", "KILL"]
"""Runs what ends with who started it: a killed nsenter would leave it. A change of user has to come before."""
ENVIRONMENT = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"]
CONFIG = "/etc/digitd/digitd.toml"
SOUND = "/run/sound/native"
"""The socket of the PulseAudio in the box."""
TO_SOUND = ["PULSE_LATENCY_MSEC=20", f"PULSE_SERVER=unix:{SOUND}"]
WAIT_S = 30.0

SERVER = f"""
[Service]
User=nobody
RuntimeDirectory=sound home
Environment=HOME=/run/home XDG_RUNTIME_DIR=/run/home PULSE_RUNTIME_PATH=/run/home
ExecStart=pulseaudio --exit-idle-time=-1 -n -L "module-native-protocol-unix auth-anonymous=1 socket={SOUND}" \
    -L "module-null-sink sink_name=fakemic rate=16000 channels=1 format=s16le"
"""
READER = f"""
[Unit]
Requires=sound.service
After=sound.service
[Service]
Environment=HOME=/tmp {" ".join(TO_SOUND)}
ExecStartPre=sh -c "until [ -S {SOUND} ]; do sleep 0.05; done"
ExecStart=parec --latency-msec=20 --rate=16000 --channels=1 --format=s16le -d fakemic.monitor /dev/null
"""
"""Without a reader the microphone sleeps, and audio comes up to 1.8 s late."""


def why_not() -> str:
    """Why there can be no box here, or nothing."""
    if os.geteuid() != 0:
        return "only root may boot a systemd"
    if not (cgroups() and os.access(cgroups(), os.W_OK)):
        return "no cgroup2 that could be written"
    tried = subprocess.run(["unshare", *NAMESPACES, "--fork", "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip()


def cgroups() -> str:
    """Where this machine's cgroup2 is mounted, or nothing."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return next((mount[1] for mount in mounts if mount[2] == "cgroup2"), "")


class Box:
    """A booted systemd; what happens in it stays in it."""

    def __init__(self, folder: Path, installed: Path) -> None:
        self._cgroup = Path(cgroups()) / f"digitd-{folder.name}-{os.getpid()}"
        self._cgroup.mkdir()
        boot = [*DYING, "unshare", *NAMESPACES, "--fork", "--kill-child", "--propagation", "private"]
        boot += [str(BOOT), str(folder), str(installed)]
        enter = f'echo $$ >{self._cgroup}/cgroup.procs && exec "$@"'
        self._unshare = subprocess.Popen(["sh", "-c", enter, "sh", *boot], stdout=subprocess.DEVNULL)
        self.until(lambda: self._children().read_text())
        self.until(lambda: self.run("systemctl", "is-system-running", check=False).strip() in ("running", "degraded"))
        self.run("systemd-sysusers")
        self.run("systemd-tmpfiles", "--create", "/usr/lib/tmpfiles.d/digitd.conf")

    def _children(self) -> Path:
        return Path(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children")

    def command(self, *arguments: str) -> list[str]:
        """The command line that runs `arguments` in the box."""
        init = self._children().read_text().strip()
        return ["nsenter", "--target", init, *NAMESPACES, *DYING, *ENVIRONMENT, *arguments]

    def run(self, *arguments: str, check: bool = True, input: str | None = None) -> str:  # noqa: A002
        """Standard output of a command in the box."""
        command = self.command(*arguments)
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=check, timeout=WAIT_S, input=input)
        return done.stdout

    def write(self, path: str, text: str, mode: str = "644") -> None:
        """Make a file in the box, and let systemd read its units again."""
        self.run("install", "-D", "-m", mode, "/dev/stdin", path, input=text)
        self.run("systemctl", "daemon-reload")

    def until(self, come: Callable[[], object]) -> None:
        """Wait for something to be true."""
        until_s = time.monotonic() + WAIT_S
        while not come():
            assert time.monotonic() < until_s, "it has not come"
            time.sleep(0.05)

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", "--property", name, unit).strip()

    def log(self, unit: str) -> str:
        """What the journal holds of a unit."""
        self.run("journalctl", "--sync")
        return self.run("journalctl", "--no-pager", "--output=cat", "--unit", unit)

    def plug_in_a_microphone(self) -> None:
        """Start PulseAudio, tell the service of it, and make drop-ins that shorten its times."""
        self.write("/etc/systemd/system/sound.service", SERVER)
        self.write("/etc/systemd/system/reader.service", READER)
        self.run("systemctl", "start", "reader.service")
        environment = "\n".join(f"Environment={variable}" for variable in TO_SOUND)
        self.write("/etc/systemd/system/digitd.service.d/test.conf", f"[Service]\n{environment}\nRestartSec=200ms\n")
        self.run("sed", "-i", 's/^spec = .*/spec = "mic:pulse"/; s/^log_level = .*/log_level = "info"/', CONFIG)
        time.sleep(2.5)

    def play(self) -> None:
        """Play the demo into the microphone, to its end."""
        play = ["env", *TO_SOUND, "paplay", "--latency-msec=200", "-d", "fakemic"]
        with DEMO.open("rb") as recording:
            subprocess.run(self.command(*play), stdin=recording, check=True, timeout=WAIT_S)

    def close(self) -> None:
        """Kill everything in the box."""
        self._unshare.send_signal(signal.SIGKILL)  # --kill-child: systemd goes with it, and all of its namespace
        self._unshare.wait()
        self.until(self._without_cgroup)

    def _without_cgroup(self) -> bool:
        """Try to remove the box's cgroup; the last of its processes may still be dying."""
        for folder, _, _ in os.walk(self._cgroup, topdown=False):
            with suppress(OSError):
                Path(folder).rmdir()
        return not self._cgroup.exists()
