"""The daemon itself and what it can be given: run, devices, models."""

import argparse
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from digitd import models
from digitd.daemon.command import Command


def add_run(parser: argparse.ArgumentParser) -> None:
    """The arguments of `run`, which `config` takes too."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="a digitd.toml")
    parser.add_argument(
        "--source",
        action="append",
        metavar="SPEC",
        help="mic (default), mic:NAME, - (raw s16le on stdin), a WAV or FLAC file, or unix:PATH, a socket that streams "
        "come over; several are heard at once",
    )
    parser.add_argument("--rate", type=int, metavar="HZ", help="rate of raw samples on stdin (default 16000)")
    parser.add_argument("--channels", type=int, metavar="N", help="channels of raw samples on stdin (default 1)")
    parser.add_argument("--pace", metavar="PACE", help="fast (default) or realtime, for a file or pipe")
    parser.add_argument(
        "--sink",
        action="append",
        metavar="SPEC",
        help="stdout:text (default), stdout:strings, stdout:jsonl, unix:PATH, exec:COMMAND, "
        "mqtt://[USER@]HOST[:PORT]/TOPIC (mqtts: with TLS); may be given again",
    )
    parser.add_argument("--model", metavar="NAME|DIR", help=f"a bundle (default {models.DEFAULT_MODEL})")
    parser.add_argument("--provider", metavar="PROVIDER", help="auto (default), cpu, cuda or kserve:URL")
    parser.add_argument(
        "--mode", metavar="MODE", help="always (default: an open microphone) or entry (digits are expected)"
    )
    parser.add_argument(
        "--secret", action="store_true", default=None, help="keep digits out of logs, metrics and the journal"
    )
    parser.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning (default) or error")


def given_flags(arguments: argparse.Namespace) -> dict[str, Any]:
    """The command line as a table like digitd.toml's, of the flags that were given."""
    sound = {"rate_hz": arguments.rate, "channels": arguments.channels, "pace": arguments.pace}
    specs = arguments.source or [None]
    sources = [_given({"spec": spec, **sound}) for spec in specs]
    table: dict[str, Any] = {
        "source": sources[0] if len(sources) == 1 else None,
        "sources": sources if len(sources) > 1 else None,
        "model": {"name": arguments.model, "mode": arguments.mode, "provider": arguments.provider},
        "sinks": arguments.sink,
        "secret": arguments.secret,
        "log_level": arguments.log_level,
    }
    return {key: value for key, value in _given(table).items() if value not in ({}, None)}


def _given(table: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _given(value) if isinstance(value, dict) else value for key, value in table.items() if value is not None
    }


def _run(arguments: argparse.Namespace) -> int:
    for number in (signal.SIGUSR1, signal.SIGHUP) if arguments.config else (signal.SIGUSR1,):
        signal.signal(number, signal.SIG_IGN)  # it would end the process until the service heeds it
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's products are too small to share between cores
    from digitd.daemon.sources.program import started_ahead

    flags = given_flags(arguments)
    with started_ahead(flags, arguments.config):  # the capture program loads on another core while this does
        from digitd.daemon import log
        from digitd.daemon.config import compose
        from digitd.daemon.service import serve

        read = partial(compose, arguments.config, flags)
        config = read()
        log.begin(config.log_level, config.log_format)
        serve(config, read if arguments.config else None)
    return 0


def _devices(_arguments: argparse.Namespace) -> int:
    from digitd.daemon.sources.listing import microphones

    return _print(
        f"mic:{device.name}  {device.channels} channel(s), {device.rate_hz} Hz{'  (default)' if device.default else ''}"
        for device in microphones()
    )


def _models(_arguments: argparse.Namespace) -> int:
    from digitd.daemon.bundle import load

    return _print(
        f"{name}  {manifest.kind}, {manifest.origin.parameters:,} parameters, labels {' '.join(manifest.labels)}"
        f"{'  (default)' if name == models.DEFAULT_MODEL else ''}"
        for name, manifest in ((name, load(name).manifest) for name in models.names())
    )


def _print(lines: Iterable[str]) -> int:
    """Write lines to standard output, whose reader may leave."""
    from digitd.daemon.sinks.sink import ReaderGone
    from digitd.daemon.sinks.stdout import write_line

    with suppress(ReaderGone):
        for line in lines:
            write_line(line)
    return 0


def _no_arguments(_parser: argparse.ArgumentParser) -> None:
    pass


COMMANDS = {
    "run": Command(add_run, _run),
    "devices": Command(_no_arguments, _devices),
    "models": Command(_no_arguments, _models),
}
