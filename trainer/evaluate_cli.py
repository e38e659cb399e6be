"""The subcommand `evaluate`: a trained network, run or bundle, on known recordings or on one's own."""

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from digitd.daemon.command import Command
from digitd.daemon.errors import ConfigError, TrainingError
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.run_folder import RunFolder, write_whole
from digitd.trainer.runfile import Run, read_run, recordings
from digitd.trainer.split import PARTS, Split, split

if TYPE_CHECKING:
    from digitd.trainer.classifier import Classifier  # needs the extra [train]


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", metavar="RUN|BUNDLE", help="a finished run's folder, or a bundle's name or folder")
    parser.add_argument(
        "--on",
        type=Path,
        metavar="RUN.toml",
        help="a run file that names recordings and split (default: the run's own)",
    )
    parser.add_argument("--part", choices=[*PARTS, "all"], default="test", help="which part of them (default test)")
    parser.add_argument("--recording", type=Path, nargs="+", metavar="FILE", help="one's own WAV or FLAC files instead")
    parser.add_argument("--out", type=Path, metavar="DIR", help="for pictures and tables (default evaluation/NAME)")


def _evaluate(arguments: argparse.Namespace) -> int:
    folder = RunFolder(Path(arguments.network)) if (Path(arguments.network) / "run.toml").is_file() else None
    known = None if arguments.recording else _known(arguments, folder)
    try:
        from digitd.trainer import classifier
    except ModuleNotFoundError as error:
        raise TrainingError(f"the evaluation needs {error.name}: pip install 'digitd[train]'") from error
    network = classifier.of_run(folder) if folder else classifier.of_bundle(arguments.network)
    out = arguments.out or Path("evaluation") / network.name
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"{out}: cannot be made ({error.strerror}); name a writable --out") from error
    text = _evaluated(network, *known, out) if known else _heard(network, arguments.recording, folder, out)
    write_whole(out / "evaluation.md", lambda path: path.write_text(text, encoding="utf-8"))
    print(re.sub(r"^!\[.*\n+", "", text, flags=re.MULTILINE))
    print(f"the same with pictures: {out / 'evaluation.md'}")
    return 0


def _evaluated(network: "Classifier", run: Run, chosen: list[Recording], out: Path) -> str:
    from digitd.trainer import evaluation_report
    from digitd.trainer.evaluation import evaluate
    from digitd.trainer.examples import Ear
    from digitd.trainer.feature_cache import FeatureCache, default_folder

    ear = Ear(network.features, run.room, run.seed)
    found = evaluate(network, chosen, ear, FeatureCache(default_folder()))
    return f"# {network.name}\n\n{evaluation_report.write(found, out, '')}\n"


def _heard(network: "Classifier", files: list[Path], folder: RunFolder | None, out: Path) -> str:
    from digitd.trainer import pictures

    text = [f"# {network.name}"]
    for file in files:
        text += [f"## {file}", pictures.own_recording(network, file, out, file.stem)]
        if folder is not None:  # a bundle's layers cannot be looked into
            text.append(pictures.layers(network, file, folder, out, f"{file.stem}-layers"))
    return "\n\n".join(text) + "\n"


def _known(arguments: argparse.Namespace, folder: RunFolder | None) -> tuple[Run, list[Recording]]:
    """The recordings to evaluate on, and the run that says how they are heard."""
    if arguments.on is not None:
        run = read_run(arguments.on)
        parts = split(recordings(run, arguments.on.parent), run.split)
    elif folder is not None:
        run, parts = folder.run, folder.split
    else:
        raise ConfigError(f"{arguments.network} is no run folder, so it names no recordings; give a run file with --on")
    return run, _chosen(parts, arguments.part)


def _chosen(parts: Split, part: str) -> list[Recording]:
    return [recording for name in PARTS if part in (name, "all") for recording in getattr(parts, name)]


COMMANDS = {"evaluate": Command(_add_evaluate, _evaluate)}
