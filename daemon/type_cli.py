"""`digitd type`: the digits of a running daemon go into the window that has the focus."""

import argparse
from pathlib import Path

from digitd.daemon.command import Command
from digitd.daemon.watch_cli import SYSTEM_SOCKET, default_path

KEYBOARD_NAMES = ("auto", "wtype", "xdotool", "ydotool")
DESCRIPTION = (
    "Each digit is typed as it is heard, or each string when it is over. A string goes into the window that had the "
    "focus when it began, and its rest is left out where that changes (X11 alone tells). What is late, missed or in "
    "doubt is told and not typed."
)


def _add_type(parser: argparse.ArgumentParser) -> None:
    parser.description = DESCRIPTION
    parser.add_argument(
        "path",
        nargs="?",
        type=Path,
        metavar="PATH",
        help=f"the daemon's socket (default: $DIGITD_SOCKET, $XDG_RUNTIME_DIR/digitd.sock, or {SYSTEM_SOCKET})",
    )
    _add_what(parser.add_argument_group("what is typed"))
    _add_whether(parser.add_argument_group("when it is not"))
    keyboard = parser.add_argument_group("by what")
    keyboard.add_argument(
        "--keyboard",
        choices=KEYBOARD_NAMES,
        default="auto",
        help="wtype (Wayland), xdotool (X11), ydotool (any console); default: the first that works",
    )
    keyboard.add_argument(
        "--layout",
        metavar="NAME[:VARIANT]",
        help="of the keys, where ydotool types; the others know it (default: the machine's)",
    )
    keyboard.add_argument("--dry-run", action="store_true", help="type nothing, print what would be typed")
    keyboard.add_argument("--once", action="store_true", help="end with the daemon, and do not wait for one")


def _add_what(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--as",
        dest="form",
        choices=("digits", "strings"),
        default="digits",
        help="digits (default: each as it comes), strings (each when it is over, and only a legal one)",
    )
    group.add_argument(
        "--after", choices=("none", "enter", "tab"), default="none", help="the key that follows a string (default none)"
    )
    group.add_argument("--separator", default="", metavar="TEXT", help="follows a string, before that key: ' ', '-'")


def _add_whether(group: "argparse._ArgumentGroup") -> None:
    words = group.add_mutually_exclusive_group()
    for word, text in (("pause", "pause"), ("resume", "resume"), ("toggle", "pause or resume")):
        words.add_argument(
            f"--{word}",
            dest="word",
            action="store_const",
            const=word,
            help=f"{text} the `digitd type` that runs, and end",
        )
    group.add_argument("--paused", action="store_true", help="begin paused; SIGUSR1 toggles too")
    group.add_argument(
        "--pause-string",
        default="",
        metavar="DIGITS",
        help="said alone (000) it pauses or resumes and is not typed; digits that may become it wait until they cannot",
    )
    group.add_argument(
        "--idle-pause", type=float, metavar="SECONDS", help="pause when no digit has been heard for so long"
    )
    group.add_argument(
        "--window", default="", metavar="TITLE", help="type only where this is in the title of the window (X11)"
    )


def _type(arguments: argparse.Namespace) -> int:
    if arguments.word:
        from digitd.daemon import pause_switch
        from digitd.daemon.sinks.stdout import write_line

        write_line(pause_switch.ask(arguments.word))
        return 0
    from digitd.daemon.errors import ConfigError
    from digitd.daemon.keyboards.choice import open_keyboard
    from digitd.daemon.typing_session import TypingSession
    from digitd.daemon.typist import TypistConfig

    if arguments.idle_pause is not None and not arguments.idle_pause > 0:
        raise ConfigError(f"--idle-pause {arguments.idle_pause:g}: it takes seconds, more than 0")
    config = TypistConfig(
        whole=arguments.form == "strings",
        after=arguments.after,
        separator=arguments.separator,
        pause_string=arguments.pause_string,
        window=arguments.window,
    )
    keyboard = open_keyboard("dry-run" if arguments.dry_run else arguments.keyboard, arguments.layout)
    session = TypingSession(config, keyboard, paused=arguments.paused, idle_pause_s=arguments.idle_pause)
    return session.run(arguments.path or default_path(), once=arguments.once)


COMMANDS = {"type": Command(_add_type, _type)}
