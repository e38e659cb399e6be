"""One run of the benchmark: the parts that were asked for, on one set of recordings."""

import importlib
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from digitd.export.bench import machine, report
from digitd.export.bench.part import Part
from digitd.export.bench.plan import PARTS, Plan
from digitd.export.bench.takes import taken

logger = logging.getLogger(__name__)


def run(
    plan: Plan, given: Sequence[Path], speakers: frozenset[str], wanted: Sequence[str], command: str
) -> tuple[dict[str, Part], dict[str, Any]]:
    """What each part found, and all of it as bench.json holds it.

    Raises:
        DigitdError: a recording, the bundle or a daemon is not as it should be.
    """
    watch = machine.Watch()
    if watch.load > machine.QUIET_LOAD:
        logger.warning("the machine is not quiet (load average %.2f): figures will be too bad, and spread", watch.load)
    with tempfile.TemporaryDirectory(prefix="digitd-") as scratch:
        takes = taken(given, plan.long_s, speakers, Path(scratch))
        parts = {}
        for name in wanted:
            logger.info("%s: %s", name, PARTS[name])
            parts[name] = importlib.import_module(f"digitd.export.bench.{MODULES.get(name, name)}").measure(plan, takes)
    return parts, report.whole(parts, machine.described(), watch.surroundings(), command, takes.origin)


MODULES = {"process": "processes"}
"""Where a part's module has another name."""
