"""`digitd listen`: a live view in the terminal of what a daemon hears."""

import argparse
import os
import signal
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from digitd.daemon.cli import add_run, given_flags
from digitd.daemon.command import Command
from digitd.daemon.errors import ConfigError, SinkError
from digitd.daemon.watch_cli import SYSTEM_SOCKET

if TYPE_CHECKING:
    from digitd.daemon.listen.glyphs import Glyphs

DESCRIPTION = (
    "Shows level, noise, speech, spectrogram, the digits' likelihoods, digits, strings and latency of the daemon at "
    "PATH, through its restarts. Without PATH it is the daemon that runs, else one that is started for this; with any "
    "of the options of run, one that is started with them."
)
OF_THE_VIEW = ("path", "ascii", "secret")


def _add_listen(parser: argparse.ArgumentParser) -> None:
    parser.description = DESCRIPTION
    parser.add_argument(
        "path",
        nargs="?",
        type=Path,
        metavar="PATH",
        help=f"the daemon's socket (default: $DIGITD_SOCKET, $XDG_RUNTIME_DIR/digitd.sock, or {SYSTEM_SOCKET})",
    )
    parser.add_argument(
        "--ascii", action="store_true", help="draw with ASCII alone (default where the locale is not UTF-8)"
    )
    add_run(parser.add_argument_group("of a daemon of its own, as of run; a file is heard at its own pace"))  # type: ignore[arg-type]


def _listen(arguments: argparse.Namespace) -> int:
    flags = _flags(arguments)
    if arguments.path and flags:
        raise ConfigError(
            f"{arguments.path} is the socket of a daemon that has its settings; leave out {flags[0]}, or the path"
        )
    from digitd.daemon.listen import terminal
    from digitd.daemon.listen.glyphs import ASCII, UNICODE

    terminal.check(str(arguments.path or ""))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a daemon of ours must end too
    glyphs = ASCII if arguments.ascii or terminal.is_ascii() else UNICODE
    return _show(arguments.path, flags, glyphs, veiled=bool(arguments.secret))


def _flags(arguments: argparse.Namespace) -> list[str]:
    """What was given of `run`'s flags, for a daemon of our own.

    Raises:
        ConfigError: they are wrong, or it would hear the keyboard.
    """
    given = {name: value for name, value in vars(arguments).items() if value is not None and name not in OF_THE_VIEW}
    if not given:
        return []
    from digitd.daemon.config import composition

    composed = composition(arguments.config, given_flags(arguments))
    specs = [source.spec for source in composed.config.heard]
    if "-" in specs:
        raise ConfigError(
            "source '-': standard input is the keyboard of the view; give the sound to "
            "`digitd run --source - --sink unix:PATH`, and look at that with `digitd listen PATH`"
        )
    if not specs[0].startswith("mic") and "pace" not in composed.origins.get("source", {}):
        given["pace"] = "realtime"
    if arguments.secret:
        given["secret"] = True
    return [part for name, value in given.items() for part in _flag(f"--{name.replace('_', '-')}", value)]


def _flag(name: str, value: object) -> list[str]:
    if value is True:
        return [name]
    values = value if isinstance(value, list) else [value]
    return [part for each in values for part in (name, str(each))]


def _show(path: Path | None, flags: list[str], glyphs: "Glyphs", *, veiled: bool) -> int:
    """The view, until it is left.

    Raises:
        SinkError: there is nothing to look at.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from digitd.daemon.attached import attached
    from digitd.daemon.listen.app import ListenApp
    from digitd.daemon.listen.inbox import Inbox
    from digitd.daemon.tap import Tap

    with attached(path, flags) as attachment, closing(Tap(attachment)) as tap:
        tap.look(wanted=True)
        tap.open((inbox := Inbox()).outlook)
        app = ListenApp(tap, inbox, glyphs, veiled=veiled)
        app.run(mouse=False)
    if app.hearing.refusal and not app.hearing.model:
        raise SinkError(app.hearing.refusal)
    return app.return_code or 0


COMMANDS = {"listen": Command(_add_listen, _listen)}
