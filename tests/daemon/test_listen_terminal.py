"""`digitd listen` in a real terminal: what stands on it, what it is left like, and where there is none."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import DEMO, DEMO_DIGITS
from tests.daemon.conftest import COMMAND

Digitd = Callable[..., subprocess.CompletedProcess[Any]]
WITHIN_S = 30.0
TERMINAL = {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}


class Terminal:
    """A tmux of its own, in which a shell runs one command."""

    def __init__(
        self,
        folder: Path,
        command: list[str],
        size: tuple[int, int] = (80, 24),
        environment: dict[str, str] | None = None,
    ) -> None:
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        self.status, self.sent = folder / "status", folder / "sent"
        changed = [f"{name}={value}" for name, value in {**TERMINAL, **(environment or {})}.items()]
        line = shlex.join(["env", *changed, *command])
        shape = ["-x", str(size[0]), "-y", str(size[1])]
        script = f"read -r go; {line}; echo $? > {shlex.quote(str(self.status))}; echo left; sleep 600"
        self._run("new-session", "-d", *shape, "sh", "-c", script)
        self._run("pipe-pane", f"cat > {shlex.quote(str(self.sent))}")
        self._run("send-keys", "Enter")

    def _run(self, *arguments: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "TMUX"} | {"LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [*self._tmux, *arguments], env=environment, check=True, capture_output=True, encoding="utf-8", timeout=20
        )
        return done.stdout

    def screen(self) -> str:
        """What stands on it."""
        return self._run("capture-pane", "-p")

    def coloured(self) -> str:
        """The same with its colours."""
        return self._run("capture-pane", "-p", "-e")

    def press(self, *keys: str) -> None:
        """Keys at once, by tmux's names."""
        self._run("send-keys", *keys)

    def resize(self, width: int, height: int) -> None:
        """As a user drags the window."""
        self._run("resize-window", "-x", str(width), "-y", str(height))

    def until(self, there: Callable[[], bool]) -> None:
        """Wait until it is so."""
        until_s = time.monotonic() + WITHIN_S
        while not there():
            assert time.monotonic() < until_s, self.screen()
            time.sleep(0.05)

    def shows(self, *wanted: str) -> None:
        """Wait until it stands on the screen."""
        self.until(lambda: all(text in self.screen() for text in wanted))

    def processes(self) -> list[int]:
        """Those of the command, parents first."""
        found = [int(self._run("display-message", "-p", "#{pane_pid}"))]
        for pid in found:
            found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found[1:]

    def left(self) -> int:
        """The command's exit status, once it has ended; and the terminal is as before."""
        self.until(lambda: self.status.exists() and "left" in self.screen())
        assert self._run("display-message", "-p", "#{alternate_on} #{cursor_flag}").split() == ["0", "1"]
        return int(self.status.read_text())

    def close(self) -> None:
        """Away with it."""
        subprocess.run([*self._tmux, "kill-server"], check=False, capture_output=True)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_terminal(*flags: str, size: tuple[int, int] = (80, 24), **environment: str) -> Terminal:
        opened.append(Terminal(tmp_path, [*COMMAND, "listen", *flags], size, environment))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()


def test_80x24_in_colour_from_the_first_digit_to_quit(terminal: Callable[..., Terminal]) -> None:
    tmux = terminal("--source", str(DEMO), "--model", "stranger")
    tmux.shows("mode always model stranger on cpu", "▀", "┃", "speech", f"heard     {' '.join(DEMO_DIGITS[:2])}")
    assert "\x1b[38;5;2" in tmux.coloured()
    tmux.press("m")
    tmux.shows("mode entry")
    tmux.shows("the source has ended", f"heard     {' '.join(DEMO_DIGITS)}", f"strings   {DEMO_DIGITS}", "median")
    assert len(tmux.screen().splitlines()) == 24
    tmux.press("?")
    tmux.shows("any key: back")
    tmux.press("x")
    tmux.until(lambda: "any key: back" not in tmux.screen())
    tmux.press("q")
    assert tmux.left() == 0, tmux.screen()


def test_without_colour_no_colour_is_sent(terminal: Callable[..., Terminal]) -> None:
    tmux = terminal("--source", str(DEMO), NO_COLOR="1")
    tmux.shows("▒", "┃", f"heard     {' '.join(DEMO_DIGITS[:3])}")
    assert "\x1b[38;" not in tmux.sent.read_text()
    assert "\x1b[32m" not in tmux.coloured()
    tmux.press("C-c")
    assert tmux.left() == 0, tmux.screen()


def test_keys_in_a_hurry_do_no_harm(terminal: Callable[..., Terminal]) -> None:
    tmux = terminal("--source", str(DEMO))
    tmux.shows("heard     3")
    tmux.press("m", "m", "Space", "c", "Space", "c", "Up", "m", "?")
    tmux.shows("any key: back")
    tmux.press("x", "y", "z", "Up")
    tmux.until(lambda: "any key: back" not in tmux.screen())
    tmux.shows("5 9 2", "freeze")
    tmux.press("q", "q", "?")
    assert tmux.left() == 0, tmux.screen()


@pytest.mark.parametrize(
    ("flags", "environment"), [(["--ascii"], {}), ([], {"LC_ALL": "C"})], ids=["asked for", "the locale's"]
)
def test_ascii_alone_is_sent_where_there_is_no_more(
    terminal: Callable[..., Terminal], flags: list[str], environment: dict[str, str]
) -> None:
    tmux = terminal("--source", str(DEMO), *flags, **environment)
    tmux.shows("#", "* speech")
    tmux.shows(f"heard     {' '.join(DEMO_DIGITS)}")
    tmux.press("q")
    assert tmux.left() == 0, tmux.screen()
    assert tmux.sent.read_bytes().isascii()


def test_a_window_of_any_size_is_filled_again(terminal: Callable[..., Terminal]) -> None:
    tmux = terminal("--source", str(DEMO), size=(24, 5))
    tmux.shows("3 1 4")
    assert "▀" not in tmux.screen()
    for width, height in ((120, 40), (10, 2), (80, 24)):
        tmux.resize(width, height)
        tmux.until(lambda height=height: ("q quit" in tmux.screen()) == (height > 2))  # type: ignore[misc]
    tmux.shows("3 1 4", "▀", "median")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_the_terminal_as_it_was_and_no_daemon_behind(
    terminal: Callable[..., Terminal], number: signal.Signals
) -> None:
    tmux = terminal("--source", str(DEMO))
    tmux.shows("heard     3")
    view, daemon = tmux.processes()
    os.kill(view, number)
    assert tmux.left() == 0, tmux.screen()
    assert not Path(f"/proc/{daemon}").exists()


def test_what_is_wrong_with_its_own_daemon_is_one_line(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    tmux = terminal("--source", str(tmp_path / "no.flac"))
    assert tmux.left() == 2
    assert "digitd: error:" in tmux.screen()
    assert "no.flac: cannot be read" in tmux.screen().replace("\n", "")
    assert "Traceback" not in tmux.screen()


def test_what_is_no_socket_for_ever_is_one_line(terminal: Callable[..., Terminal]) -> None:
    tmux = terminal("/" + "x" * 200)
    assert tmux.left() == 2
    assert "nobody answers" in tmux.screen()


def test_a_dumb_terminal_is_told(terminal: Callable[..., Terminal]) -> None:
    tmux = terminal("some/socket", TERM="dumb")
    assert tmux.left() == 2
    shown = tmux.screen().replace("\n", "")
    assert "TERM=dumb: this terminal cannot place characters; `digitd watch some/socket` prints" in shown


def test_no_terminal_is_told(digitd: Digitd) -> None:
    done = digitd("listen", env={**os.environ, **TERMINAL}, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "digitd: error: standard output is no terminal, and the view needs all three; "
        "`digitd watch` prints the same line by line\n"
    )


@pytest.mark.parametrize("closed", [">/dev/null", "</dev/null", ">&-"])
def test_each_stream_must_be_the_terminal(tmp_path: Path, closed: str) -> None:
    tmux = Terminal(tmp_path, ["sh", "-c", f"{shlex.join([*COMMAND, 'listen'])} {closed}"])
    try:
        assert tmux.left() == 2
        assert f"standard {'input' if '<' in closed else 'output'} is no terminal" in tmux.screen()
    finally:
        tmux.close()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["s", "--mode", "entry"], "s is the socket of a daemon that has its settings; leave out --mode"),
        (["--source", "-"], "standard input is the keyboard of the view"),
        (["--mode", "entri"], "entri"),
        (["--config", "no.toml"], "no.toml"),
    ],
)
def test_flags_that_cannot_be_meant_are_told(digitd: Digitd, flags: list[str], told: str) -> None:
    done = digitd("listen", *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert done.stderr.startswith("digitd: error: ")


def test_help_loads_nothing_slow(digitd: Digitd) -> None:
    done = digitd("listen", "--help", env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"})
    assert "PATH" in done.stdout
    assert "--ascii" in done.stdout
    assert not any(module in done.stderr for module in ("textual", "rich", "onnxruntime"))
