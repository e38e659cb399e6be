"""`digitd calibrate`: room, microphone and voice are measured, and the recogniser is set to them."""

import argparse
import getpass
import os
from pathlib import Path

from digitd.daemon.command import Command

NAME_HELP = "of the person: the bundle becomes MODEL-NAME (default: the user's)"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="folder",
        type=Path,
        metavar="FOLDER",
        help="recordings, LABEL/SPEAKER_TAKE.wav, in place of the microphone",
    )
    parser.add_argument("--source", metavar="SPEC", help="mic (default) or mic:NAME, as `digitd devices` lists it")
    parser.add_argument(
        "--model", metavar="NAME|DIR", help="the bundle to set (default: digitd.toml's, or the default one)"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="digitd.toml to read and, if you agree, to change (default: ~/.config/digitd/digitd.toml)",
    )
    parser.add_argument("--name", metavar="NAME", help=NAME_HELP)
    parser.add_argument(
        "--takes", type=int, default=2, metavar="N", help="how often each digit is asked for (default %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="of the order of the prompts (default %(default)s)"
    )
    for flag, text in _QUESTIONS.items():
        parser.add_argument(f"--{flag}", action=argparse.BooleanOptionalAction, default=None, help=text)
    parser.add_argument("--yes", action="store_true", help="answer yes to what no other flag answers")
    parser.add_argument(
        "--undo", action="store_true", help="take the personal bundle away, and its name out of digitd.toml"
    )


_QUESTIONS = {
    "gain": "set the microphone's volume where it is too low or too high",
    "keep": "keep the recordings, for `digitd train` and another calibration",
    "enrol": "adapt the network to the voice, where that is measurably better",
    "install": "make the bundle of this person",
    "write": "write its name into digitd.toml",
}


def own_config() -> Path:
    """The user's own digitd.toml."""
    folder = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111 - raises nothing
    return Path(folder, "digitd", "digitd.toml")


def _calibrate(arguments: argparse.Namespace) -> int:
    from digitd.export.calibration.session import Request, Session, undo

    name = arguments.name or getpass.getuser()
    request = Request(
        name=name,
        config_file=arguments.config or own_config(),
        config_named=arguments.config is not None,
        source=arguments.source,
        model=arguments.model,
        folder=arguments.folder,
        takes=arguments.takes,
        seed=arguments.seed,
        answers={flag: getattr(arguments, flag) for flag in _QUESTIONS},
        agreed=True if arguments.yes else None,
    )
    if arguments.undo:
        return undo(request)
    return Session(request).run()


COMMANDS = {"calibrate": Command(_add_arguments, _calibrate)}
