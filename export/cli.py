"""The exporter's subcommand: export."""

import argparse
from pathlib import Path

from digitd.daemon.command import Command
from digitd.daemon.errors import ExportError
from digitd.models import MODELS_DIR
from digitd.trainer.limits import Limits
from digitd.trainer.run_folder import RunFolder
from digitd.trainer.runfile import NAME


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="the run folder that `digitd train` made")
    parser.add_argument("--name", required=True, help="the bundle's name")
    parser.add_argument("--out", type=Path, default=MODELS_DIR, metavar="DIR", help="the folder of bundles")
    parser.add_argument("--weights", choices=["float32", "float16", "int8"], default="int8", help="how they are stored")
    limits = Limits()
    parser.add_argument(
        "--max-false-per-hour",
        type=float,
        default=limits.max_false_per_hour,
        metavar="N",
        help="always mode: false digits an hour of running speech and of noise (default %(default)g)",
    )
    parser.add_argument(
        "--max-words",
        type=float,
        default=limits.max_words,
        metavar="SHARE",
        help="always mode: share of other words that give a digit (default %(default)g)",
    )
    parser.add_argument(
        "--max-words-entry",
        type=float,
        default=limits.max_words_entry,
        metavar="SHARE",
        help="the same in entry mode (default %(default)g)",
    )
    parser.add_argument("--replace", action="store_true", help="put it in the place of a bundle of that name")


def _export(arguments: argparse.Namespace) -> int:
    if not NAME.fullmatch(arguments.name):
        raise ExportError(f"--name {arguments.name!r} must be letters, digits, '.', '_' and '-'")
    folder = RunFolder.open(arguments.run)
    parts = folder.split
    from digitd.export.release import release  # TensorFlow: after all that can be answered without it
    from digitd.export.staging import Release

    limits = Limits(arguments.max_false_per_hour, arguments.max_words, arguments.max_words_entry)
    item = Release(arguments.name, folder, folder.run, parts, arguments.weights, limits)
    metrics = release(item, arguments.out, replace=arguments.replace)
    right = metrics["test"]["always"]["right"]
    print(
        f"{arguments.out / arguments.name}: {metrics['weights']['bytes']:,} bytes, parity "
        f"{metrics['parity_max_difference']:.1e}, test words right {right['share']:.1%} "
        f"({right['low']:.1%}-{right['high']:.1%})"
    )
    return 0


COMMANDS = {"export": Command(_add_export, _export)}
