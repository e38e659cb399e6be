"""The exporter's subcommand: export, to a bundle or to the model repository of a server."""

import argparse
import shlex
from pathlib import Path

from digitd.daemon.bundle import load
from digitd.daemon.command import Command
from digitd.daemon.errors import ExportError
from digitd.daemon.origin import COMMAND_LINE
from digitd.export.triton_config import Serving
from digitd.models import MODELS_DIR
from digitd.trainer.limits import Limits
from digitd.trainer.run_folder import RunFolder
from digitd.trainer.runfile import NAME


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        metavar="RUN|BUNDLE",
        help="the run folder that `digitd train` made; with --target triton a bundle's name or folder",
    )
    parser.add_argument(
        "--target",
        choices=["bundle", "triton"],
        default="bundle",
        help="bundle (default), or triton: a bundle becomes a model of an NVIDIA Triton server",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="the folder of bundles, or with --target triton of served models"
    )
    parser.add_argument("--replace", action="store_true", help="put it in the place of what has that name")
    _add_release(parser.add_argument_group("of --target bundle"))
    _add_serving(parser.add_argument_group("of --target triton"))


def _add_release(parser: argparse._ArgumentGroup) -> None:
    parser.add_argument("--name", help="the bundle's name")
    parser.add_argument(
        "--with",
        dest="others",
        action="append",
        default=[],
        metavar="RUN",
        help="a further run, of a network that hears a stream too: the bundle is the mean of both; may come again",
    )
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


def _add_serving(parser: argparse._ArgumentGroup) -> None:
    usual = Serving()
    parser.add_argument("--instances", type=int, metavar="N", help=f"copies on a server (default {usual.instances})")
    parser.add_argument("--max-batch", type=int, metavar="N", help=f"steps in one run (default {usual.max_batch})")
    parser.add_argument(
        "--max-delay-ms",
        type=float,
        metavar="MS",
        help=f"a step waits so long for others to run with (default {usual.max_delay_ms:g})",
    )


def _export(arguments: argparse.Namespace) -> int:
    return _serve(arguments) if arguments.target == "triton" else _release(arguments)


def _serve(arguments: argparse.Namespace) -> int:
    from digitd.daemon.settings import from_table
    from digitd.export.triton import export

    if arguments.out is None or arguments.name is not None or arguments.others:
        raise ExportError("--target triton takes --out DIR and one bundle, whose name it keeps: no --name, no --with")
    given = {name: getattr(arguments, name) for name in ("instances", "max_batch", "max_delay_ms")}
    serving = from_table(Serving, {key: value for key, value in given.items() if value is not None}, COMMAND_LINE)
    bundle = load(arguments.what)
    served = export(bundle, arguments.out, serving, replace=arguments.replace)
    print(
        f"{served.folder}: version {served.version}\n"
        f"serve:  tritonserver --model-repository {shlex.quote(str(arguments.out))}\n"
        f"listen: digitd run --model {shlex.quote(arguments.what)} --provider kserve:http://HOST:8000"
    )
    return 0


def _release(arguments: argparse.Namespace) -> int:
    if arguments.name is None or not NAME.fullmatch(arguments.name):
        raise ExportError(f"--name {arguments.name or ''!r} must be letters, digits, '.', '_' and '-'")
    out = arguments.out or MODELS_DIR
    folder = RunFolder.open(Path(arguments.what))
    parts = folder.split
    from digitd.export.release import release  # TensorFlow: after all that can be answered without it
    from digitd.export.staging import Release

    limits = Limits(arguments.max_false_per_hour, arguments.max_words, arguments.max_words_entry)
    others = tuple(RunFolder.open(Path(each)) for each in arguments.others)
    item = Release(arguments.name, folder, folder.run, parts, arguments.weights, limits, others)
    metrics = release(item, out, replace=arguments.replace)
    right = metrics["test"]["always"]["right"]
    print(
        f"{out / arguments.name}: {metrics['weights']['bytes']:,} bytes, parity "
        f"{metrics['parity_max_difference']:.1e}, test words right {right['share']:.1%} "
        f"({right['low']:.1%}-{right['high']:.1%})"
    )
    return 0


COMMANDS = {"export": Command(_add_export, _export)}
