"""The man page and the shells' completions, made of the command line itself: `python docs/generate.py`.

They are committed, so that no installation needs what makes them; a test compares.
"""

import argparse
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import shtab
from argparse_manpage.manpage import Manpage

import digitd
from digitd import models
from digitd.__main__ import COMMANDS
from digitd.daemon.sinks.stdout import FORMATS

DOCS = Path(__file__).parent
DESCRIPTION = (
    "Recognises spoken digits in what a microphone, a file or a pipe brings, and writes them to standard output, a "
    "Unix socket or a command. `digitd run` is the daemon; the other commands follow one that runs, check and "
    "configure it, or train and release the networks that it hears with."
)
FILES = """\
.TP
.I /etc/digitd/digitd.toml
settings of the system unit; each key with its default stands in it
.TP
.I ~/.config/digitd/digitd.toml
settings of the user unit
.TP
.I /run/digitd/digitd.sock, $XDG_RUNTIME_DIR/digitd.sock
sockets that
.B digitd watch
and its like look at, the second one first; $DIGITD_SOCKET names another"""
STATUS = """\
0: done. 1: something of it failed, and was told (doctor, transcribe). 2: bad input, with one line on standard error.
130: interrupted."""
VALUES = {
    "--model": sorted(path.parent.name for path in models.MODELS_DIR.glob("*/manifest.toml")),
    "--mode": ["always", "entry"],
    "--provider": ["auto", "cpu", "cuda"],
    "--pace": ["fast", "realtime"],
    "--log-level": ["debug", "info", "warning", "error"],
    "--sink": [f"stdout:{name}" for name in FORMATS] + ["unix:", "exec:"],
    "--source": ["mic", "-"],
}
"""Of flags whose value argparse itself does not check: settings do, with their own words."""
PATHS = {"FILE": shtab.FILE, "DIR": shtab.DIRECTORY}


def whole_parser() -> argparse.ArgumentParser:
    """`digitd` with all its commands; the program itself loads only the one that is called."""
    top = argparse.ArgumentParser(prog="digitd", description=DESCRIPTION)
    top.add_argument("--version", action="version", version=f"digitd {digitd.__version__}", help="print the version")
    commands = top.add_subparsers(metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        importlib.import_module(module).COMMANDS[name].add_arguments(command)
        for action in command._actions:
            _complete(action)
    return top


def _complete(action: argparse.Action) -> None:
    values = next((VALUES[flag] for flag in action.option_strings if flag in VALUES), None)
    if values:
        action.choices = values
    elif isinstance(action.metavar, str):
        last = action.metavar.rpartition("|")[2].rpartition(".")[0] or action.metavar.rpartition("|")[2]
        kind = PATHS.get(last) or (shtab.FILE if action.type is Path else None)
        if kind:
            action.complete = kind  # type: ignore[attr-defined]


def man_page(parser: argparse.ArgumentParser) -> str:
    """digitd(1)."""
    page = Manpage(
        parser,
        {
            "date": "November 2026",
            "project_name": "digitd",
            "version": digitd.__version__,
            "manual_title": "User Commands",
            "description": "spoken digits, live",
        },
        format="single-commands-section",
    )
    return f"{page}\n.SH FILES\n{FILES}\n\n.SH EXIT STATUS\n{STATUS}\n\n.SH SEE ALSO\n.BR systemctl (1)\n"


def generated() -> Iterator[tuple[Path, str]]:
    """Each file with its text."""
    yield DOCS / "man" / "digitd.1", man_page(whole_parser())
    names = {"bash": "digitd", "zsh": "_digitd", "fish": "digitd.fish"}
    for shell, name in names.items():
        yield DOCS / "completions" / name, shtab.complete(whole_parser(), shell=shell)


def main() -> None:
    """Write them."""
    for path, text in generated():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(DOCS.parent), file=sys.stderr)


if __name__ == "__main__":
    main()
