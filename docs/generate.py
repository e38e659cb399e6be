"""The man page and the shells' completions, made of the command line itself: `python docs/generate.py`.

They are committed, so that no installation needs what makes them; a test compares.
"""

import argparse
import importlib
import os
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
SHELLS = DOCS / "shells"
"""What a shell needs that is not made of the command line."""
DATE = "2026-11-25"
WIDTH = "72"
"""However wide the terminal is in which this runs: what argparse wraps fits a page of 80 columns, indented."""
PATHS = {"FILE": shtab.FILE, "DIR": shtab.DIRECTORY}
VALUES: dict[str, tuple[str, list[str]]] = {
    "--model": ("bundle_dir", sorted(path.parent.name for path in models.MODELS_DIR.glob("*/manifest.toml"))),
    "--mode": ("word", ["always", "entry"]),
    "--provider": ("word", ["auto", "cpu", "cuda"]),
    "--pace": ("word", ["fast", "realtime"]),
    "--log-level": ("word", ["debug", "info", "warning", "error"]),
    "--sink": ("word", [*(f"stdout:{name}" for name in FORMATS), "unix:", "exec:"]),
    "--source": ("file", ["mic", "-"]),
    "mode path": ("file", ["always", "entry"]),
}
"""What may stand where argparse itself does not check it (settings do, in their own words): the words, and beside them
nothing, files, or bundles of this person and machine."""
BESIDE = {"word": "", "file": 'compgen -f -- "$1"', "bundle_dir": '_digitd_own_bundles "$1"'}
"""The same for bash, whose completers take no arguments."""


def whole_parser() -> argparse.ArgumentParser:
    """`digitd` with all its commands; the program itself loads only the one that is called."""
    os.environ["COLUMNS"] = WIDTH
    top = argparse.ArgumentParser(prog="digitd")
    top.add_argument("--version", action="version", version=f"digitd {digitd.__version__}", help="print the version")
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text)
        importlib.import_module(module).COMMANDS[name].add_arguments(command)
    return top


def man_page() -> str:
    """digitd(1), with what docs/man/*.roff has beside the command line."""
    facts = {
        "date": DATE,
        "project_name": "digitd",
        "version": digitd.__version__,
        "manual_title": "User Commands",
        "description": "spoken digits, live",
    }
    page = Manpage(whole_parser(), facts, format="single-commands-section")
    page.add_section("description", "=", (DOCS / "man/description.roff").read_text(encoding="utf-8").strip())
    sections = (DOCS / "man/sections.roff").read_text(encoding="utf-8")
    return str(page).replace(DATE.replace("-", "\\-"), DATE, 1) + sections


def completion(shell: str) -> str:
    """The script of a shell."""
    parser = whole_parser()
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for name, command in commands.choices.items():
        command.description = COMMANDS[name][1]
        for action in command._actions:
            _complete(name, action)
    script = shtab.complete(parser, shell=shell, preamble={shell: (SHELLS / f"values.{shell}").read_text("utf-8")})
    after = SHELLS / f"words.{shell}"
    return f"{script}\n\n{after.read_text('utf-8')}" if after.exists() else f"{script}\n"


def _complete(command: str, action: argparse.Action) -> None:
    """Tell shtab what may stand there."""
    key = next((flag for flag in action.option_strings if flag in VALUES), f"{command} {action.dest}")
    complete: object = None
    if key in VALUES:
        complete = _values(key.strip("-").replace(" ", "_").replace("-", "_"), *VALUES[key])
    elif isinstance(action.metavar, str):
        last = action.metavar.rpartition("|")[2].rpartition(".")[0] or action.metavar.rpartition("|")[2]
        complete = PATHS.get(last) or (shtab.FILE if action.type is Path else None)
    if complete:
        action.complete = complete  # type: ignore[attr-defined]


def _values(name: str, kind: str, words: list[str]) -> dict[str, object]:
    """As shtab takes a completer; a colon would part what zsh is told of a flag."""
    bash = f"_digitd_{kind}_{name}"
    listed = " ".join(words)
    body = "\n  ".join(filter(None, [f'compgen -W "{listed}" -- "$1"', BESIDE[kind]]))
    return {
        "bash": bash,
        "zsh": f" _digitd_values {kind} {listed}".replace(":", "\\:"),
        "fish": f"(_digitd_values {kind} {listed})",
        "preamble": {"bash": f"{bash}() {{\n  {body}\n}}\n"},
    }


def generated() -> Iterator[tuple[Path, str]]:
    """Each file with its text."""
    yield DOCS / "man" / "digitd.1", man_page()
    names = {"bash": "digitd", "zsh": "_digitd", "fish": "digitd.fish"}
    for shell, name in names.items():
        yield DOCS / "completions" / name, completion(shell)


def main() -> None:
    """Write them."""
    for path, text in generated():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(DOCS.parent), file=sys.stderr)


if __name__ == "__main__":
    main()
