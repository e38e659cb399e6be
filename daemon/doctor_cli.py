"""`digitd doctor`: what is well, what is not, and what to do."""

import argparse
import dataclasses
import json
import os
from collections.abc import Iterator
from contextlib import suppress

from digitd.daemon.checks import run_time
from digitd.daemon.checks.finding import Finding
from digitd.daemon.cli import add_run, given_flags
from digitd.daemon.command import Command
from digitd.daemon.errors import ConfigError
from digitd.daemon.sinks.sink import ReaderGone
from digitd.daemon.sinks.stdout import write_line


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--json", action="store_true", help="a JSON object a line: status, what, finding, remedy")


def _doctor(arguments: argparse.Namespace) -> int:
    """1 if something failed, else 0."""
    if arguments.config and not os.access(arguments.config, os.R_OK):
        raise ConfigError(f"{arguments.config}: cannot be read; name a TOML file that exists")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in `run`
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # as in the units; it complains where there is no home
    failures = 0
    with suppress(ReaderGone):
        for finding in _findings(arguments):
            failures += finding.status == "fail"
            write_line(json.dumps(dataclasses.asdict(finding)) if arguments.json else str(finding))
    return 1 if failures else 0


def _findings(arguments: argparse.Namespace) -> Iterator[Finding]:
    """Those of ONNX Runtime first: where it is broken, no more of the daemon can be imported than is here."""
    yield from run_time.examine()
    if run_time.why_not():
        return
    from digitd.daemon.checks.host import Host
    from digitd.daemon.doctor import diagnose

    yield from diagnose(Host(), arguments.config, given_flags(arguments))


COMMANDS = {"doctor": Command(_add_doctor, _doctor)}
