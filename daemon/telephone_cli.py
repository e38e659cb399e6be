"""`digitd telephone`: what callers say to a telephone system, over AudioSocket or RTP, heard like keys they press."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, get_args

from digitd.daemon.command import Command
from digitd.daemon.mode import Mode

if TYPE_CHECKING:
    from digitd.daemon.client.news import Unknown
    from digitd.daemon.events import Event
    from digitd.daemon.telephone.service import Service

DEFAULT_MODE: Mode = "entry"
"""Callers are asked for digits."""
DEFAULT_CALLS, MOST_CALLS = 200, 400
DESCRIPTORS_PER_CALL = 2
"""One to the caller, one to the daemon."""
DESCRIPTORS_BESIDE = 1100
"""Of ports, two addresses full, and what a process has anyway."""
DEFAULT_DEPTH_MS, MOST_DEPTH_MS = 60, 1000
DEFAULT_IDLE_S = 5.0


def _add_telephone(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="the audio socket of a daemon: `digitd run --source unix:PATH`")
    parser.add_argument(
        "--audiosocket", action="append", default=[], metavar="HOST:PORT", help="answer Asterisk's AudioSocket here"
    )
    parser.add_argument(
        "--rtp",
        action="append",
        default=[],
        metavar="HOST:FIRST-LAST",
        help="hear RTP (G.711) at the first, third, ... of these ports, RTCP at the ones between",
    )
    parser.add_argument(
        "--anyone",
        action="store_true",
        help="let other machines in: whoever reaches a port, unencrypted and without a password",
    )
    parser.add_argument(
        "--mode", choices=get_args(Mode), default=DEFAULT_MODE, help=f"that calls are heard in (default {DEFAULT_MODE})"
    )
    parser.add_argument(
        "--depth-ms",
        type=int,
        default=DEFAULT_DEPTH_MS,
        metavar="N",
        help=f"so much later than the quickest a packet of RTP may come (default {DEFAULT_DEPTH_MS})",
    )
    parser.add_argument(
        "--idle-s",
        type=float,
        default=DEFAULT_IDLE_S,
        metavar="S",
        help=f"RTP: who sends nothing for so long has left (default {DEFAULT_IDLE_S:g})",
    )
    parser.add_argument(
        "--one-string",
        action="store_true",
        help="AudioSocket: hang up once a caller has said a legal string; the dialplan goes on",
    )
    parser.add_argument(
        "--calls",
        type=int,
        default=DEFAULT_CALLS,
        metavar="N",
        help=f"so many there may be at once (default {DEFAULT_CALLS})",
    )
    parser.add_argument(
        "--print", action="store_true", help="print the events of all calls, a line of JSON each, not the addresses"
    )
    parser.add_argument(
        "--log-level", choices=("debug", "info", "warning", "error"), default="warning", help="default warning"
    )


def _telephone(arguments: argparse.Namespace) -> int:
    import asyncio

    from digitd.daemon import log
    from digitd.daemon.errors import ConfigError
    from digitd.daemon.sinks.sink import ReaderGone

    if not arguments.audiosocket and not arguments.rtp:
        raise ConfigError("no calls can come in; give --audiosocket 127.0.0.1:9092, --rtp 127.0.0.1:4000-4099 or both")
    _check("--calls", arguments.calls, 1, MOST_CALLS)
    _check("--depth-ms", arguments.depth_ms, 0, MOST_DEPTH_MS)
    _check("--idle-s", arguments.idle_s, 0.5, 3600)
    log.begin(arguments.log_level, "auto")
    _make_room(DESCRIPTORS_PER_CALL * arguments.calls + DESCRIPTORS_BESIDE)
    with suppress(ReaderGone), _printer(printed=arguments.print) as publish:
        asyncio.run(_serve(arguments, publish))
    return 0


def _make_room(wanted: int) -> None:
    """Raise the soft limit of descriptors, as far as may be."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )


def _check(name: str, value: float, least: float, most: float) -> None:
    from digitd.daemon.errors import ConfigError

    if not least <= value <= most:
        raise ConfigError(f"{name} {value:g}: must be {least:g} to {most:g}")


@contextmanager
def _printer(*, printed: bool) -> "Iterator[Callable[[Event | Unknown], None]]":
    """Prints events, or does nothing: the daemon's sinks have them. Nobody waits for a reader who does not read.

    Raises:
        SinkError: the journal would keep the digits.
    """
    from contextlib import closing
    from threading import Event as Flag

    from digitd.daemon.events import Event
    from digitd.daemon.mode_switch import ModeSwitch
    from digitd.daemon.sinks.queued import QueuedSink
    from digitd.daemon.sinks.sink import Surroundings
    from digitd.daemon.sinks.stdout import StdoutSink

    if not printed:
        yield lambda _: None
        return
    stop = Flag()
    sink = StdoutSink(Event.to_json, Surroundings(stop, ModeSwitch(DEFAULT_MODE), live=True, secret=True))
    with closing(QueuedSink(sink, "--print", stop, lambda _what, _count: None)) as queued:
        yield lambda event: queued.publish(event) if isinstance(event, Event) else None


async def _serve(arguments: argparse.Namespace, publish: "Callable[[Event | Unknown], None]") -> None:
    """Listen, and serve until a signal comes."""
    from contextlib import closing

    from digitd.daemon.client.place import placed
    from digitd.daemon.notify import Notifier
    from digitd.daemon.sinks.stdout import write_line
    from digitd.daemon.telephone.call import Line
    from digitd.daemon.telephone.exchange import Exchange
    from digitd.daemon.telephone.service import Service

    exchange = Exchange(Line(placed(arguments.path).path, arguments.mode), arguments.calls, publish)
    with closing(Notifier()) as notifier:
        async with Service(exchange) as service:
            await _listen(arguments, service)

            def announce() -> None:
                if not arguments.print:
                    write_line("\n".join(service.addresses))
                notifier.hear()  # ready

            await service.run(announce)
            notifier.stopping()


async def _listen(arguments: argparse.Namespace, service: "Service") -> None:
    """Open all addresses."""
    import logging

    from digitd.daemon.telephone.address import addressed
    from digitd.daemon.telephone.speaker import RtpSettings

    addresses = {text: addressed(text, anyone=arguments.anyone) for text in (*arguments.audiosocket, *arguments.rtp)}
    for text, address in addresses.items():
        if not address.is_near:
            logging.getLogger(__name__).warning(
                "%s: whoever reaches it can use it; telephony has neither encryption nor password here", text
            )
    for text in arguments.audiosocket:
        await service.answer(addresses[text], arguments.calls, one_string=arguments.one_string)
    for text in arguments.rtp:
        await service.hear(addresses[text], RtpSettings(arguments.depth_ms / 1000, arguments.idle_s))


COMMANDS = {"telephone": Command(_add_telephone, _telephone)}
