"""`digitd bench`: what the recogniser costs and how soon it answers, beside others, on this machine."""

import argparse
import logging
import os
import shlex
import sys
from pathlib import Path

from digitd.daemon.command import Command
from digitd.daemon.errors import BundleError, ConfigError
from digitd.export.bench.plan import PARTS, Plan
from digitd.models import DEFAULT_MODEL

SHORTEST_S = 1.0


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    usual = Plan(DEFAULT_MODEL)
    parser.add_argument(
        "recordings",
        nargs="*",
        type=Path,
        metavar="RECORDING|FOLDER",
        help="WAV or FLAC files of speech (default: people of $DIGITD_CORPORA, else what espeak-ng and flite speak)",
    )
    parser.add_argument("--model", default=DEFAULT_MODEL, metavar="NAME|DIR", help="a bundle (default %(default)s)")
    parser.add_argument("--mode", choices=["always", "entry"], default="always", help="of the daemon (default always)")
    parser.add_argument("--speakers", metavar="A,B", help="of $DIGITD_CORPORA only these")
    parser.add_argument(
        "--runs", type=int, default=usual.runs, metavar="N", help="of each measurement (default %(default)s)"
    )
    parser.add_argument(
        "--long",
        type=float,
        default=usual.long_s,
        metavar="S",
        help="length of the recording that a whole process hears (default %(default)g)",
    )
    parser.add_argument(
        "--idle", type=float, default=usual.idle_s, metavar="S", help="so long a quiet room (default %(default)g)"
    )
    parser.add_argument(
        "--most-streams",
        type=int,
        default=usual.most_streams,
        metavar="N",
        help="the curve ends here (default %(default)s)",
    )
    listing = "; ".join(f"{name}: {what}" for name, what in PARTS.items())
    parser.add_argument("--only", metavar="PART,...", help=f"some parts ({listing})")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write bench.json, bench.md and bench.png there")


def _bench(arguments: argparse.Namespace) -> int:
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):  # one thread, for everyone that is measured
        os.environ[name] = "1"
    logging.basicConfig(level=logging.INFO, format="bench: %(message)s", stream=sys.stderr)
    wanted = _wanted(arguments.only)
    plan = _plan(arguments)
    from digitd.daemon import bundle
    from digitd.export.bench import report
    from digitd.export.bench.run import run

    if bundle.load(plan.model).manifest.stream is None:
        raise BundleError(f"--model {plan.model}: hears utterances, not a stream; name one that does: {DEFAULT_MODEL}")
    if arguments.out:
        _make(arguments.out)
    speakers = frozenset(arguments.speakers.split(",")) if arguments.speakers else frozenset[str]()
    parts, table = run(plan, arguments.recordings, speakers, wanted, shlex.join(["digitd", *sys.argv[1:]]))
    print(report.text(parts, table))
    if arguments.out:
        report.write(arguments.out, parts, table)
    return 0


def _wanted(only: str | None) -> list[str]:
    from digitd.daemon.settings import nearest

    names = list(PARTS) if only is None else only.split(",")
    for name in names:
        if name not in PARTS:
            raise ConfigError(f"--only: no part {name!r}{nearest(name, PARTS)}")
    return [name for name in PARTS if name in names]


def _plan(arguments: argparse.Namespace) -> Plan:
    for flag, value, least in (
        ("--runs", arguments.runs, 1),
        ("--long", arguments.long, SHORTEST_S),
        ("--idle", arguments.idle, SHORTEST_S),
        ("--most-streams", arguments.most_streams, 1),
    ):
        if not least <= value < float("inf"):
            raise ConfigError(f"{flag} {value:g} must be at least {least:g}")
    return Plan(
        arguments.model,
        arguments.mode,
        arguments.runs,
        arguments.long,
        arguments.idle,
        most_streams=arguments.most_streams,
    )


def _make(folder: Path) -> None:
    """The folder of the results, before minutes of measuring."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out {folder}: cannot be made ({error.strerror}); name a folder that can") from error


COMMANDS = {"bench": Command(_add_arguments, _bench)}
