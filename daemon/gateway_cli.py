"""`digitd gateway`: WebSockets for other programs and machines: events out, sound in."""

import argparse
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from digitd.daemon.command import Command

if TYPE_CHECKING:
    from digitd.daemon.gateway.address import Address
    from digitd.daemon.gateway.server import Gateway

DEFAULT_LISTEN = "127.0.0.1:8320"
DEFAULT_PATIENCE_S = 20.0
DEFAULT_MOST, HIGHEST_MOST = 500, 10_000
DEFAULT_MOST_PER_TOKEN = 100
LEVELS = ("debug", "info", "warning", "error")
DESCRIPTORS_PER_CONNECTION = 2
"""Its own, and one to the daemon."""
RESERVED_DESCRIPTORS = 128
"""For everything else."""


def _add_gateway(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen", default=DEFAULT_LISTEN, metavar="ADDRESS:PORT", help=f"default {DEFAULT_LISTEN}; port 0: any free"
    )
    offer = parser.add_argument_group("what there is to open; one of them at least")
    offer.add_argument(
        "--audio", type=Path, metavar="PATH", help="/audio: sound for the socket of `digitd run --source unix:PATH`"
    )
    offer.add_argument(
        "--events", type=Path, metavar="PATH", help="/events: those of the socket of `digitd run --sink unix:PATH`"
    )
    admission = parser.add_argument_group("who may come in; off loopback, a certificate and tokens are needed")
    admission.add_argument("--certificate", type=Path, metavar="FILE", help="PEM: encrypt with TLS, as wss://")
    admission.add_argument("--key", type=Path, metavar="FILE", help="of the certificate, without a password")
    admission.add_argument("--tokens", type=Path, metavar="FILE", help="ask for a token, which is one of this file")
    admission.add_argument("--new-token", metavar="NAME", help="add one to --tokens FILE, print it, and end")
    admission.add_argument(
        "--origin", action="append", default=[], metavar="URL", help="pages of https://example.org may; repeatable"
    )
    admission.add_argument(
        "--behind-proxy", action="store_true", help="a proxy of this machine names the caller in X-Forwarded-For"
    )
    limits = parser.add_argument_group("limits")
    limits.add_argument("--most", type=int, default=DEFAULT_MOST, metavar="N", help=f"connections ({DEFAULT_MOST})")
    limits.add_argument(
        "--most-per-token",
        type=int,
        default=DEFAULT_MOST_PER_TOKEN,
        metavar="N",
        help=f"of those with one name ({DEFAULT_MOST_PER_TOKEN})",
    )
    limits.add_argument(
        "--patience",
        type=float,
        default=DEFAULT_PATIENCE_S,
        metavar="S",
        help=f"who sends no samples or answers no ping for so long has left ({DEFAULT_PATIENCE_S:g})",
    )
    parser.add_argument("--log-level", default="warning", metavar="LEVEL", help="debug, info, warning (default), error")


def _gateway(arguments: argparse.Namespace) -> int:
    from digitd.daemon import log
    from digitd.daemon.errors import ConfigError
    from digitd.daemon.gateway import tokens
    from digitd.daemon.gateway.address import address

    if arguments.new_token is not None:
        if arguments.tokens is None:
            raise ConfigError("--new-token: needs --tokens FILE, which its digest is added to")
        print(tokens.add(arguments.tokens, arguments.new_token))
        return 0
    if arguments.log_level not in LEVELS:
        raise ConfigError(f"--log-level {arguments.log_level!r}: must be one of {', '.join(LEVELS)}")
    listen = address(arguments.listen)
    _check(arguments, listen)
    log.begin(arguments.log_level, "auto")
    _serve(arguments, listen)
    return 0


def _check(arguments: argparse.Namespace, listen: "Address") -> None:
    """Raises ConfigError where flags do not go together, or strangers could come in."""
    from digitd.daemon.errors import ConfigError

    if arguments.audio is None and arguments.events is None:
        raise ConfigError("there is nothing to open: name the daemon's sockets, --audio PATH, --events PATH or both")
    if (arguments.certificate is None) != (arguments.key is None):
        raise ConfigError("--certificate and --key belong together; give both, or neither")
    missing = [f"--{name} FILE" for name in ("certificate", "key", "tokens") if getattr(arguments, name) is None]
    if missing and not listen.is_near:
        raise ConfigError(
            f"--listen {listen}: other machines reach it there, so that it needs {', '.join(missing)} too; or keep to "
            "127.0.0.1"
        )
    if arguments.behind_proxy and arguments.tokens is None:
        raise ConfigError("--behind-proxy: whom a proxy lets through are strangers; it needs --tokens FILE too")
    if not 1 <= arguments.most <= HIGHEST_MOST:
        raise ConfigError(f"--most {arguments.most}: must be 1 to {HIGHEST_MOST}")
    if arguments.most_per_token < 1:
        raise ConfigError(f"--most-per-token {arguments.most_per_token}: must be 1 or more")
    if not 0.1 <= arguments.patience <= 3600:
        raise ConfigError(f"--patience {arguments.patience:g}: must be 0.1 to 3600 s")


def _serve(arguments: argparse.Namespace, listen: "Address") -> None:
    """Print the address, and serve until a signal comes."""
    import asyncio

    from digitd.daemon.gateway.address import bound_to
    from digitd.daemon.gateway.door import Door
    from digitd.daemon.notify import Notifier
    from digitd.daemon.sinks.sink import ReaderGone
    from digitd.daemon.sinks.stdout import write_line

    _make_room(arguments.most)
    gateway = _composed(arguments)
    scheme = "wss" if arguments.certificate else "ws"
    with Door(listen.listener(), arguments.most) as listener, closing(Notifier()) as notifier, suppress(ReaderGone):

        def announce() -> None:
            write_line(f"{scheme}://{bound_to(listener)}")
            notifier.hear()

        asyncio.run(gateway.run(listener, announce))
        notifier.stopping()


def _composed(arguments: argparse.Namespace) -> "Gateway":
    from digitd.daemon.gateway import tokens
    from digitd.daemon.gateway.broadcast import Broadcast
    from digitd.daemon.gateway.certificate import Certificate
    from digitd.daemon.gateway.gate import Admission, Gate
    from digitd.daemon.gateway.relay import Relay
    from digitd.daemon.gateway.server import Gateway, Services

    services = Services(
        Relay(arguments.audio, arguments.patience) if arguments.audio else None,
        Broadcast(arguments.events) if arguments.events else None,
    )
    admission = Admission(
        services.paths,
        origins(arguments.origin),
        arguments.most,
        arguments.most_per_token,
        arguments.behind_proxy,
    )
    gate = Gate(admission, tokens.read(arguments.tokens) if arguments.tokens else None)
    certificate = Certificate(arguments.certificate, arguments.key) if arguments.certificate else None
    encryption = certificate.context() if certificate else None

    def reread() -> None:
        found = tokens.read(arguments.tokens) if arguments.tokens else None
        if certificate and encryption:
            certificate.renew(encryption)
        gate.tokens = found

    return Gateway(services, gate, encryption, arguments.patience, reread)


def origins(given: list[str]) -> frozenset[str]:
    """As browsers tell them.

    Raises:
        ConfigError: one could never be told.
    """
    from urllib.parse import urlsplit

    from digitd.daemon.errors import ConfigError

    for text in given:
        parts = urlsplit(text)
        if text != f"{parts.scheme}://{parts.netloc}" or not parts.netloc or parts.username is not None:
            raise ConfigError(f"--origin {text!r:.100}: no origin; give it as https://example.org or http://host:8080")
    return frozenset(text.lower() for text in given)


def _make_room(most: int) -> None:
    """Raise the soft limit of descriptors to what that takes.

    Raises:
        ConfigError: there may not be so many.
    """
    import resource

    from digitd.daemon.errors import ConfigError
    from digitd.daemon.gateway.door import STRANGERS

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_PER_CONNECTION * most + STRANGERS + RESERVED_DESCRIPTORS
    if wanted > hard != resource.RLIM_INFINITY:
        raise ConfigError(f"--most {most}: takes {wanted} descriptors, of {hard} that there may be; raise LimitNOFILE=")
    if wanted > soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


COMMANDS = {"gateway": Command(_add_gateway, _gateway)}
