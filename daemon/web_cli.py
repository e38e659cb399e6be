"""`digitd web`: a page of this machine that shows what is heard, and hears the browser's own microphone."""

import argparse
import os
import signal
import sys
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digitd.daemon.command import Command

if TYPE_CHECKING:
    from digitd.daemon.config import Composition
    from digitd.daemon.mode import Mode
    from digitd.daemon.web.live import Live

DEFAULT_PORT = 8310
DEFAULT_SPEAKERS, MOST_SPEAKERS = 4, 64
SPEAKERS_MODE: "Mode" = "entry"
"""Of those who speak into the page: they mean to say digits."""
OF_A_DAEMON = ("config", "source", "model", "mode")
"""What is not given to one that runs already: with any of these, one of our own is meant."""


def _add_web(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path",
        nargs="?",
        type=Path,
        metavar="PATH",
        help="the socket of the daemon to show (default: as of watch, or of one that is started for this)",
    )
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="127.0.0.1 (default) or ::1, no other")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, metavar="N", help=f"default {DEFAULT_PORT}; 0: any that is free"
    )
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument("--no-live", action="store_true", help="show no daemon: the browser's microphone alone")
    parser.add_argument(
        "--speakers",
        type=int,
        default=DEFAULT_SPEAKERS,
        metavar="N",
        help=f"so many may speak into their browsers at once (default {DEFAULT_SPEAKERS})",
    )
    own = parser.add_argument_group("of who speaks into the page, and of a daemon of our own, which these ask for")
    own.add_argument("--config", type=Path, metavar="FILE", help="a digitd.toml")
    own.add_argument("--source", metavar="SPEC", help="as of run; of the daemon alone")
    own.add_argument("--model", metavar="NAME|DIR", help="a bundle")
    own.add_argument("--mode", metavar="MODE", help=f"always or entry (default of who speaks: {SPEAKERS_MODE})")
    parser.add_argument(
        "--secret", action="store_true", default=None, help="veil digits until somebody asks for them; keep none"
    )
    parser.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning (default) or error")


def _web(arguments: argparse.Namespace) -> int:
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # until the server heeds it: a daemon of ours must end too
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from digitd.daemon import log
    from digitd.daemon.config import composition
    from digitd.daemon.errors import ConfigError

    if not 1 <= arguments.speakers <= MOST_SPEAKERS:
        raise ConfigError(f"--speakers {arguments.speakers}: must be 1 to {MOST_SPEAKERS}")
    composed = composition(arguments.config, _settings(arguments))
    log.begin(composed.config.log_level, composed.config.log_format)
    with ExitStack() as stack:
        _serve(arguments, composed, stack)
    return 0


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The flags that were given, as a table like digitd.toml's."""
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    table: dict[str, Any] = {name: given[name] for name in ("secret", "log_level") if name in given}
    if model := {key: given[name] for key, name in (("name", "model"), ("mode", "mode")) if name in given}:
        table["model"] = model
    return table


def _serve(arguments: argparse.Namespace, composed: "Composition", stack: ExitStack) -> None:
    """Open everything, print the address, and serve until a signal comes; `stack` closes it."""
    import asyncio

    from digitd.daemon import bundle
    from digitd.daemon.listener import open_network
    from digitd.daemon.sinks.sink import ReaderGone
    from digitd.daemon.sinks.stdout import write_line
    from digitd.daemon.web.booth import Booth
    from digitd.daemon.web.browser import show
    from digitd.daemon.web.gate import Gate
    from digitd.daemon.web.server import WebServer, address, bound

    config = composed.config
    mode = config.model.mode if "mode" in composed.origins.get("model", {}) else SPEAKERS_MODE
    listener = stack.enter_context(bound(arguments.host, arguments.port))
    network = open_network(bundle.load(config.model.name), config.model.provider)
    booth = stack.enter_context(closing(Booth(network, config.pipeline, mode, arguments.speakers)))
    server = WebServer(gate := Gate(), booth, _live(arguments, stack, mode, secret=config.secret))

    def announce() -> None:
        write_line(f"{address(listener)}?{gate.query}")
        if arguments.open:
            show(f"{address(listener)}?{gate.ticket()}")

    with suppress(ReaderGone):
        asyncio.run(server.run(listener, announce))


def _live(arguments: argparse.Namespace, stack: ExitStack, mode: "Mode", *, secret: bool) -> "Live":
    """The view of a daemon; where none can be had and none was asked for, it shows why.

    Raises:
        SinkError: one was asked for.
    """
    from digitd.daemon.attached import attached
    from digitd.daemon.errors import SinkError
    from digitd.daemon.tap import Tap
    from digitd.daemon.web.live import Live, Welcome

    welcome = Welcome(secret, mode)
    if arguments.no_live:
        return Live(None, "no daemon is shown (--no-live)", welcome)
    flags = [part for name in OF_A_DAEMON if (value := getattr(arguments, name)) for part in (f"--{name}", str(value))]
    flags += ["--secret"] * bool(flags and secret)
    try:
        return Live(Tap(stack.enter_context(attached(arguments.path, flags))), "", welcome)
    except SinkError as error:
        if flags:
            raise
        if sys.stderr is not None:
            print(f"digitd: no live view: {error}", file=sys.stderr, flush=True)
        return Live(None, f"no daemon runs here, and none can be started: {error}", welcome)


COMMANDS = {"web": Command(_add_web, _web)}
