"""`digitd wyoming`: a speech-to-text service for Home Assistant and whatever else speaks the Wyoming protocol."""

import argparse
from typing import TYPE_CHECKING, get_args

from digitd.daemon.command import Command
from digitd.daemon.mode import Mode
from digitd.daemon.wyoming.limits import Limits

if TYPE_CHECKING:
    from digitd.daemon.wyoming.address import Address
    from digitd.daemon.wyoming.server import Server

DEFAULT_URI = "tcp://127.0.0.1:10300"
"""The port at which Home Assistant's users expect speech-to-text."""
DEFAULT_MODE: Mode = "entry"
"""Who speaks to a voice assistant means to."""
MOST_CLIENTS = 400
"""Each takes two descriptors, of the 1024 that a process has."""


def _add_wyoming(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="the audio socket of a daemon: `digitd run --source unix:PATH`")
    parser.add_argument(
        "--uri", default=DEFAULT_URI, metavar="URI", help=f"tcp://HOST:PORT or unix:///PATH (default {DEFAULT_URI})"
    )
    parser.add_argument(
        "--anyone",
        action="store_true",
        help="let other machines in: whoever reaches the port, unencrypted and without a password",
    )
    parser.add_argument(
        "--mode", choices=get_args(Mode), default=DEFAULT_MODE, help=f"of what clients say (default {DEFAULT_MODE})"
    )
    parser.add_argument("--spaced", action="store_true", help='write "5 5 5", not "555"')
    parser.add_argument("--no-streaming", action="store_true", help="send the transcript alone, no digit before it")
    parser.add_argument(
        "--clients",
        type=int,
        default=Limits.clients,
        metavar="N",
        help=f"so many may be connected at once (default {Limits.clients})",
    )
    parser.add_argument(
        "--zeroconf",
        nargs="?",
        const="",
        metavar="NAME",
        help="announce the service to the local network under this name (default: the machine's hardware address)",
    )
    parser.add_argument(
        "--log-level", choices=("debug", "info", "warning", "error"), default="warning", help="default warning"
    )


def _wyoming(arguments: argparse.Namespace) -> int:
    import asyncio
    from contextlib import suppress

    from digitd.daemon import log
    from digitd.daemon.client.place import placed
    from digitd.daemon.errors import ConfigError
    from digitd.daemon.sinks.sink import ReaderGone
    from digitd.daemon.wyoming.address import addressed
    from digitd.daemon.wyoming.conversation import Manner
    from digitd.daemon.wyoming.discovery import announceable
    from digitd.daemon.wyoming.ear import Ear
    from digitd.daemon.wyoming.server import Server

    if not 1 <= arguments.clients <= MOST_CLIENTS:
        raise ConfigError(f"--clients {arguments.clients}: must be 1 to {MOST_CLIENTS}")
    address = addressed(arguments.uri)
    if arguments.zeroconf is not None:
        announceable(address)
    ear = Ear(placed(arguments.path).path, arguments.mode)
    manner = Manner(" " if arguments.spaced else "", not arguments.no_streaming)
    log.begin(arguments.log_level, "auto")
    with suppress(ReaderGone):
        asyncio.run(_serve(Server(ear, manner, Limits(arguments.clients)), address, arguments))
    return 0


async def _serve(server: "Server", address: "Address", arguments: argparse.Namespace) -> None:
    """Listen, say so, and serve until a signal comes."""
    import logging
    from contextlib import AsyncExitStack

    from digitd.daemon.notify import Notifier
    from digitd.daemon.sinks.stdout import write_line
    from digitd.daemon.wyoming.address import listening, local
    from digitd.daemon.wyoming.discovery import announced

    notifier = Notifier()

    def announce() -> None:
        write_line(str(local(listener)))
        notifier.hear()  # ready

    async with AsyncExitStack() as stack:
        stack.callback(notifier.close)
        listener = stack.enter_context(listening(address, anyone=arguments.anyone))
        if not address.is_near:
            logging.getLogger(__name__).warning(
                "%s: whoever reaches it can use it; Wyoming has neither encryption nor password", local(listener)
            )
        if arguments.zeroconf is not None:
            await stack.enter_async_context(announced(local(listener), arguments.zeroconf))
        await server.run(listener, announce)
        notifier.stopping()


COMMANDS = {"wyoming": Command(_add_wyoming, _wyoming)}
