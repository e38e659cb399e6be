"""The daemon's subcommands: run, devices, config, watch, mode, models."""

import argparse
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from digitd import models
from digitd.daemon.command import Command
from digitd.daemon.errors import SinkError

ANSWER_S = 2.0


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="a digitd.toml")
    parser.add_argument(
        "--source",
        metavar="SPEC",
        help="mic (default), mic:NAME, - (raw s16le on stdin), or a WAV or FLAC file",
    )
    parser.add_argument("--rate", type=int, metavar="HZ", help="rate of raw samples on stdin (default 16000)")
    parser.add_argument("--channels", type=int, metavar="N", help="channels of raw samples on stdin (default 1)")
    parser.add_argument("--pace", metavar="PACE", help="fast (default) or realtime, for a file or pipe")
    parser.add_argument(
        "--sink",
        action="append",
        metavar="SPEC",
        help="stdout:text (default), stdout:strings, stdout:jsonl, unix:PATH; may be given again",
    )
    parser.add_argument("--model", metavar="NAME|DIR", help=f"a bundle (default {models.DEFAULT_MODEL})")
    parser.add_argument("--provider", metavar="PROVIDER", help="auto (default), cpu or cuda")
    parser.add_argument(
        "--mode", metavar="MODE", help="always (default: an open microphone) or entry (digits are expected)"
    )
    parser.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning (default) or error")


def _flags(arguments: argparse.Namespace) -> dict[str, Any]:
    """The command line as a table like digitd.toml's, of the flags that were given."""
    table: dict[str, Any] = {
        "source": {
            "spec": arguments.source,
            "rate_hz": arguments.rate,
            "channels": arguments.channels,
            "pace": arguments.pace,
        },
        "model": {"name": arguments.model, "mode": arguments.mode, "provider": arguments.provider},
        "sinks": arguments.sink,
        "log_level": arguments.log_level,
    }
    return {key: value for key, value in _given(table).items() if value != {}}


def _given(table: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _given(value) if isinstance(value, dict) else value for key, value in table.items() if value is not None
    }


def _run(arguments: argparse.Namespace) -> int:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # it would end the process until the service heeds it
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's products are too small to share between cores
    from digitd.daemon.config import compose
    from digitd.daemon.service import serve

    config = compose(arguments.config, _flags(arguments))
    logging.basicConfig(level=config.log_level.upper(), stream=sys.stderr, format="digitd: %(levelname)s: %(message)s")
    serve(config)
    return 0


def _config(arguments: argparse.Namespace) -> int:
    import tomli_w

    from digitd.daemon.config import compose, effective

    return _print(tomli_w.dumps(effective(compose(arguments.config, _flags(arguments)))).splitlines())


def _devices(_arguments: argparse.Namespace) -> int:
    from digitd.daemon.sources.microphone import microphones

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


def _add_watch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, help="the path that `digitd run --sink unix:PATH` was given")


def _watch(arguments: argparse.Namespace) -> int:
    with _connected(arguments.path) as client, client.makefile("r", encoding="utf-8", errors="replace") as lines:
        return _print(line.rstrip("\n") for line in lines)


@contextmanager
def _connected(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError as error:
            raise SinkError(f"{path}: nobody answers ({error.strerror or error}); is `digitd run` using it?") from error
        yield client


def _add_mode(parser: argparse.ArgumentParser) -> None:
    _add_watch(parser)
    parser.add_argument("mode", metavar="MODE", help="always or entry")


def _mode(arguments: argparse.Namespace) -> int:
    with _connected(arguments.path) as client:
        try:
            client.sendall(json.dumps({"mode": arguments.mode}).encode() + b"\n")
            _await_mode(client, arguments.mode)
        except TimeoutError as error:
            raise SinkError(
                f"{arguments.path}: mode {arguments.mode!r} is not on after {ANSWER_S:g} s; it comes with the next "
                "audio: does the source still send?"
            ) from error
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise SinkError(f"{arguments.path}: no answer ({error}); is it `digitd run` that is there?") from error
    return 0


def _await_mode(client: socket.socket, mode: str) -> None:
    """Read events until one tells that `mode` is on.

    Raises:
        SinkError: the daemon knows no such mode, or has ended.
        TimeoutError: it has not come on within ANSWER_S.
    """
    until_s = time.monotonic() + ANSWER_S
    with client.makefile("r", encoding="utf-8", errors="replace") as lines:
        while (left_s := until_s - time.monotonic()) > 0:
            client.settimeout(left_s)
            event = json.loads(lines.readline() or '{"type":"end"}')
            if event["type"] == "ready" and event["mode"] == mode:
                return
            if event["type"] == "error":
                raise SinkError(event["message"])
            if event["type"] == "end":
                raise SinkError(f"the daemon ended before mode {mode!r} was on; start it again")
    raise TimeoutError


def _no_arguments(_parser: argparse.ArgumentParser) -> None:
    pass


COMMANDS = {
    "run": Command(_add_run, _run),
    "config": Command(_add_run, _config),
    "devices": Command(_no_arguments, _devices),
    "models": Command(_no_arguments, _models),
    "watch": Command(_add_watch, _watch),
    "mode": Command(_add_mode, _mode),
}
