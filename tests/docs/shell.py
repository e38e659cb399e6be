"""An interactive shell on a terminal of its own, into which a person types and presses Tab."""

import os
import pty
import select
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

COMPLETIONS = Path(__file__).parents[2] / "docs/completions"
WITHIN_S = 20.0
COMMANDS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], f"source {COMPLETIONS}/digitd"),
    "zsh": (["zsh", "-f", "-i"], f"fpath=({COMPLETIONS} $fpath); autoload -Uz compinit; compinit -u -D"),
}
READY = "rea''dy"
"""What is typed; what it prints is without the quotes."""


class Shell:
    """bash or zsh with the completion of `digitd` and nothing of a person's own."""

    def __init__(self, name: str, folder: Path) -> None:
        self._name, self._folder = name, folder

    def __enter__(self) -> Self:
        command, setup = COMMANDS[self._name]
        environment = {**os.environ, "TERM": "dumb", "PS1": "$ ", "XDG_DATA_HOME": str(self._folder)}
        self._terminal, its_end = pty.openpty()
        self._process = subprocess.Popen(
            command, stdin=its_end, stdout=its_end, stderr=its_end, cwd=self._folder, env=environment,
            start_new_session=True,
        )  # fmt: skip
        os.close(its_end)
        self._seen = ""
        os.write(self._terminal, f"{setup}; echo {READY}\n".encode())
        assert self.shows("ready"), self._seen
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)

    def tab(self, line: str) -> None:
        """Type a line and press Tab twice: the first completes, the second lists."""
        self._seen = ""
        os.write(self._terminal, f"{line}\t\t".encode())

    def shows(self, wanted: str) -> bool:
        """Whether it comes onto the terminal."""
        until_s = time.monotonic() + WITHIN_S
        while wanted not in self._seen and time.monotonic() < until_s:
            if select.select([self._terminal], [], [], 0.1)[0]:
                self._seen += os.read(self._terminal, 4096).decode(errors="replace")
        return wanted in self._seen
