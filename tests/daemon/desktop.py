"""What the tests of `digitd type` share: displays without a screen, text fields on them, and the command itself."""

import array
import ctypes
import fcntl
import json
import os
import pwd
import select
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from digitd.daemon.events import Body, Digit, Ready, Stamp, String

COMMAND = [sys.executable, "-m", "digitd"]
PIPE = subprocess.PIPE
USE_CORE_KEYBOARD = 0x100
"""XkbUseCoreKbd."""
READY = Ready("stranger", "cpu", "mic", "entry")
FIELD = """
import os, sys, time, tty
tty.setraw(0)
print("ready", flush=True, file=(out := open(sys.argv[1], "w")))
while byte := os.read(0, 1):
    print(time.monotonic(), ascii(byte.decode("latin-1")), flush=True, file=out)
"""
"""A program in a terminal that writes down each character it is typed, and when: \\r for Enter, \\n for Linefeed."""


def wait_for(condition: Callable[[], Any], what: str, within_s: float = 20.0) -> Any:
    """What the condition gives, once it is true."""
    until_s = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < until_s, f"no {what} within {within_s:g} s"
        time.sleep(0.01)
    return found


class Field:
    """A terminal's window that takes text."""

    def __init__(self, terminal: list[str], written: Path, environment: dict[str, str]) -> None:
        self._written = written
        command = [*terminal, sys.executable, "-c", FIELD, str(written)]
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self._lines, "text field")

    def _lines(self) -> list[str]:
        return self._written.read_text().splitlines() if self._written.exists() else []

    def keys(self) -> list[tuple[float, str]]:
        """When each character came (time.monotonic) and what it was."""
        parts = (line.partition(" ") for line in self._lines()[1:])
        return [(float(at_s), character.strip("'").encode().decode("unicode_escape")) for at_s, _, character in parts]

    def text(self) -> str:
        """All that has been typed so far."""
        return "".join(character for _, character in self.keys())

    def shows(self, text: str) -> bool:
        """Whether just this comes to stand in it."""
        wait_for(lambda: len(self.text()) >= len(text), f"{text!r}")
        assert self.text() == text, (self.text(), text)
        return True

    def close(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()


class Screen:
    """An X display without a screen, and text fields on it. It keeps its layout when the last program leaves it."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o700)
        reading, writing = os.pipe()
        nowhere = subprocess.DEVNULL
        command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "800x600x24", "-noreset", "-nolisten", "tcp"]
        self._server = subprocess.Popen(command, pass_fds=[writing], stdout=nowhere, stderr=nowhere)
        os.close(writing)
        with os.fdopen(reading) as told:
            self.environment = typing_environment(folder, DISPLAY=f":{told.readline().strip()}")
        self._folder = folder
        self._fields: list[Field] = []

    def run(self, *command: str) -> str:
        """What a tool of the display prints."""
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout.strip()

    def lay_out(self, layout: str) -> None:
        """Give it a layout, `name` or `name(variant)`; the second of two is the one in use."""
        name, _, variant = layout.strip(")").partition("(")
        self.run("setxkbmap", name, "-variant", variant)
        if "," in layout:
            self._lock_group(1)

    def _lock_group(self, group: int) -> None:
        """What a user's key for the next layout does; xdotool undoes it at once."""
        x11 = ctypes.CDLL("libX11.so.6")
        x11.XOpenDisplay.restype = ctypes.c_void_p
        display = ctypes.c_void_p(x11.XOpenDisplay(self.environment["DISPLAY"].encode()))
        state = ctypes.create_string_buffer(64)  # XkbStateRec begins with the group in use
        x11.XkbLockGroup(display, USE_CORE_KEYBOARD, group)
        x11.XkbGetState(display, USE_CORE_KEYBOARD, state)
        assert state.raw[0] == group
        x11.XCloseDisplay(display)

    def field(self, title: str) -> Field:
        """A text field that has the focus."""
        field = Field(["xterm", "-T", title, "-e"], self._folder / title, self.environment)
        self._fields.append(field)
        self.focus(title)
        return field

    def focus(self, title: str) -> None:
        """Give a field the focus."""
        number = self.run("xdotool", "search", "--sync", "--onlyvisible", "--name", f"^{title}$").splitlines()[0]
        self.run("xdotool", "windowfocus", "--sync", number)

    def close(self) -> None:
        """Kill it and all that is on it."""
        for field in self._fields:
            field.close()
        self._server.kill()
        self._server.wait()


class Compositor:
    """A Wayland session without a screen or a keyboard: sway, with one text field that has the focus."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="digitd-")
        folder = Path(self._folder.name)
        (folder / "sway.conf").write_text("xwayland disable\nseat seat0 fallback true\n")
        self.environment = typing_environment(folder)
        headless = {"WLR_BACKENDS": "headless", "WLR_RENDERER": "pixman", "WLR_LIBINPUT_NO_DEVICES": "1"}
        self._sway = subprocess.Popen(
            [*_as_somebody(folder), "sway", "-c", str(folder / "sway.conf")],
            env={**self.environment, **headless, "LIBSEAT_BACKEND": "noop", "HOME": str(folder)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        display = wait_for(lambda: [*folder.glob("wayland-?")], "display")[0]
        self.environment["WAYLAND_DISPLAY"] = display.name
        self.field = Field(["foot"], folder / "field", self.environment)
        wait_for(self._focused, "window")

    def _focused(self) -> bool:
        (ipc,) = Path(self._folder.name).glob("sway-ipc.*.sock")
        command = ["swaymsg", "-s", str(ipc), "-t", "get_tree"]
        return '"app_id": "foot"' in subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def close(self) -> None:
        """End it."""
        self._sway.terminate()
        self._sway.wait(20)
        self.field.close()
        self._folder.cleanup()


def _as_somebody(folder: Path) -> list[str]:
    """How root, whom sway refuses, starts it as somebody else."""
    if os.geteuid():
        return []
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]


def typing_environment(folder: Path, **more: str) -> dict[str, str]:
    """Of a session of its own, without a display unless one is named."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE", "YDOTOOL_SOCKET", "DIGITD_SOCKET")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return {**kept, "XDG_RUNTIME_DIR": str(folder), **more}


class Typing:
    """`digitd type`, and what it tells."""

    def __init__(self, environment: dict[str, str], *arguments: str | Path) -> None:
        command = [*COMMAND, "type", *map(str, arguments)]
        self.process = subprocess.Popen(command, env=environment, stdout=PIPE, stderr=PIPE, bufsize=0)
        self._log = b""

    def told(self, within_s: float = 20.0) -> str:
        """The next line that it tells."""
        assert self.process.stderr is not None
        assert select.select([self.process.stderr], [], [], within_s)[0], "nothing was told"
        return self.process.stderr.readline().decode().strip().removeprefix("digitd: ")

    def says_nothing(self, for_s: float) -> bool:
        """Whether nothing is told."""
        assert self.process.stderr is not None
        return not select.select([self.process.stderr], [], [], for_s)[0]

    def rests(self) -> bool:
        """Whether it comes to rest: its tool has released the last key."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        wait_for(lambda: not children.read_text(), "rest")
        return True

    def finish(self, number: signal.Signals | None = signal.SIGTERM) -> tuple[int, str, str]:
        """End it, or let it end: exit status, standard output, and what else it told."""
        if number is not None:
            self.process.send_signal(number)
        output, log = self.process.communicate(timeout=20)
        return self.process.returncode, output.decode(), log.decode()

    def close(self) -> None:
        """Kill it if it still runs."""
        self.process.kill()
        self.process.communicate()


class Speaker:
    """A socket that sends what a daemon that heard these digits would."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(20)
        self.stamp = Stamp("mic")
        self.ready = self._line(READY)

    def accept(self) -> None:
        """Wait for the reader."""
        self.client, _ = self._listener.accept()
        self.client.sendall(self.ready)

    def say(self, digits: str, **of_string: Any) -> None:
        """Digits, and their string."""
        self.send(*[digit(each) for each in digits], string(digits, **of_string))

    def send(self, *bodies: Body) -> None:
        """Events, at once."""
        self.client.sendall(b"".join(map(self._line, bodies)))

    def is_heard(self) -> None:
        """Wait until the reader has taken all that was sent."""
        wait_for(lambda: not self._unread_bytes(), "reading")

    def _unread_bytes(self) -> int:
        unread = array.array("i", [0])
        fcntl.ioctl(self.client, termios.TIOCOUTQ, unread)
        return unread[0]

    def send_late(self, body: Body, age_s: float) -> None:
        """An event of so long ago."""
        event = json.loads(self._line(body))
        event["time"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - age_s))
        self.client.sendall(json.dumps(event).encode() + b"\n")

    def _line(self, body: Body) -> bytes:
        return self.stamp.event(body).to_json().encode() + b"\n"

    def close(self) -> None:
        """Leave."""
        self._listener.close()
        if hasattr(self, "client"):
            self.client.close()


def digit(label: str) -> Digit:
    """The event of a digit."""
    return Digit(label, 0.98, 1.2, 1.6, 1.8)


def string(digits: str, *, heard: str | None = None, legal: bool = True, far: bool = False) -> String:
    """The event of a string."""
    return String(digits, 0.9, 1.2, 3.0, 3.7, digits if heard is None else heard, legal, far, ())


def latencies_s(field: Field, speaker: Speaker, n_digits: int) -> list[float]:
    """Of digits that are said one after the other: from the event to the character in the field."""
    sent_s = []
    for count in range(n_digits):
        sent_s.append(time.monotonic())
        speaker.send(digit(str(count % 10)))
        wait_for(lambda n=count: len(field.text()) > n, "digit")  # type: ignore[misc]
        time.sleep(0.05)  # as close as nobody says them
    return [came_s - at_s for (came_s, _), at_s in zip(field.keys(), sent_s, strict=True)]
