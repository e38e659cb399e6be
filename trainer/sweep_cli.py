"""The subcommand `sweep`: a study, row by row, and its report."""

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from digitd.daemon.command import Command
from digitd.daemon.errors import ConfigError, TrainingError
from digitd.daemon.settings import nearest
from digitd.trainer import cluster
from digitd.trainer.run_folder import make_folder, write_whole
from digitd.trainer.study import Study
from digitd.trainer.study_file import read_study

if TYPE_CHECKING:
    from digitd.trainer.sweep import Outcome, Sweep  # scipy takes a second


def _add_sweep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", type=Path, metavar="STUDY.toml", help="the study file")
    parser.add_argument("--rows", nargs="+", default=[], metavar="NAME", help="only these rows, ROW-SPLITs or pictures")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the folder of runs (default runs/NAME)")
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="where the report and results.csv go too (default: --out)"
    )
    parser.add_argument("--list", action="store_true", help="name the rows and how they stand, train nothing")


def _sweep(arguments: argparse.Namespace) -> int:
    if cluster.from_environment():
        raise ConfigError(
            f"{cluster.VARIABLE} is set: a sweep trains on this machine alone; unset it, or use digitd train"
        )
    study = read_study(arguments.study)
    unknown = [name for name in arguments.rows if name not in study.names]
    if unknown:
        raise ConfigError(f"--rows: {arguments.study} has no {unknown[0]!r}{nearest(unknown[0], study.names)}")
    from digitd.trainer.sweep import Sweep

    sweep = Sweep(study, arguments.out or Path("runs") / study.name)
    if arguments.list:
        _print_list(study, sweep)
        return 0
    make_folder(arguments.report or sweep.out)  # before hours of training
    outcomes = sweep.run(arguments.rows)
    failed = [outcome.job.name for outcome in outcomes if outcome.error and outcome.job.is_asked(arguments.rows)]
    failed += _report(sweep, outcomes, arguments)
    if failed:
        raise TrainingError(
            f"failed: {', '.join(failed)}; what is finished is kept: mend the cause and run the same command again"
        )
    return 0


def _report(sweep: "Sweep", outcomes: "list[Outcome]", arguments: argparse.Namespace) -> list[str]:
    """Draw what is asked for and write the report; the names of the pictures that failed."""
    from digitd.trainer import cache, report  # matplotlib and scikit-learn take a second
    from digitd.trainer.feature_cache import FeatureCache
    from digitd.trainer.pictures import Gallery
    from digitd.trainer.sweep import table

    folder, study = arguments.report or sweep.out, sweep.study
    gallery = Gallery(folder / report.PICTURES, study.path.parent, FeatureCache(cache.folder("features")))
    standing = {outcome.job.name: outcome for outcome in outcomes}
    bodies, failed = {}, []
    for picture in study.pictures:
        outcome = standing[picture.of]
        asked = not arguments.rows or picture.name in arguments.rows
        if outcome.result and (asked or gallery.is_stale(picture, outcome.folder)):
            error = gallery.draw(picture, outcome.folder)
        elif asked and picture.name in arguments.rows:
            error = f"{picture.of} is not finished; run it first"
        else:
            error = ""
        if error:
            failed.append(picture.name)
            print(f"{picture.name}: {error}", file=sys.stderr)
        bodies[picture.name] = gallery.body(picture) or f"Not drawn. {error}"
    report.write(study, outcomes, bodies, folder, _options(arguments))
    if folder != sweep.out:
        write_whole(folder / "results.csv", lambda path: path.write_text(table(outcomes), encoding="utf-8"))
    print(f"{folder / 'report.html'}, {folder / 'report.md'}, {folder / 'results.csv'}")
    return failed


def _options(arguments: argparse.Namespace) -> str:
    """What was given beside the study and its rows, as it is typed."""
    given = [("--out", arguments.out), ("--report", arguments.report)]
    return "".join(f" {name} {shlex.quote(str(value))}" for name, value in given if value)


def _print_list(study: Study, sweep: "Sweep") -> None:
    for job in study.jobs:
        outcome = sweep.outcome(job)
        print(f"{job.name:<32} {job.row.title or job.run.network:<60} {outcome.error or outcome.status}")
    for picture in study.pictures:
        print(f"{picture.name:<32} {picture.title}")


COMMANDS = {"sweep": Command(_add_sweep, _sweep)}
