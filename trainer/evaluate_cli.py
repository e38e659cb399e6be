"""The subcommand `evaluate`: a trained network, run or bundle, on known recordings or on one's own."""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from digitd.daemon import bundle
from digitd.daemon.command import Command
from digitd.daemon.errors import ConfigError
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.run_folder import RunFolder, make_folder, write_whole
from digitd.trainer.runfile import Run, read_run, recordings
from digitd.trainer.split import PARTS, split

if TYPE_CHECKING:
    from digitd.trainer.classifier import Classifier  # needs the extra [train]


@dataclass(frozen=True)
class Known:
    """The recordings to evaluate on, and the run that says how they are heard."""

    run: Run
    part: str
    recordings: list[Recording]
    noises_seen: list[Recording]
    """Those of the training part."""


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "network",
        nargs="+",
        metavar="RUN|BUNDLE",
        help="a finished run's folder, or a bundle's name or folder; of several bundles, which each left others out, "
        "the figures of their releases together",
    )
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
    if len(arguments.network) > 1:
        if arguments.on or arguments.recording:
            raise ConfigError("several bundles are not heard anew, their releases' figures are added up; name one")
        from digitd.trainer.left_out import pool

        return pool(arguments.network, arguments.out or Path("evaluation"))
    (arguments.network,) = arguments.network
    folder = RunFolder(Path(arguments.network)) if (Path(arguments.network) / "run.toml").is_file() else None
    known = None if arguments.recording else _known(arguments, folder)
    if folder is not None and folder.run.stream is not None:
        raise ConfigError(f"{arguments.network}: hears a stream; `digitd export` it, and evaluate the bundle")
    if folder is None and bundle.load(arguments.network).manifest.stream is not None:
        from digitd.trainer.evaluate_stream import evaluate_stream

        if known is None:
            raise ConfigError(
                f"{arguments.network} hears a stream; `digitd run --source FILE` tells what it hears in one"
            )
        return evaluate_stream(arguments.network, known, arguments.out)
    from digitd.trainer import classifier  # needs the extra [train], as all below

    network = classifier.of_run(folder) if folder else classifier.of_bundle(arguments.network)
    out = arguments.out or Path("evaluation") / network.name
    make_folder(out)
    text = _evaluated(network, known, folder, out) if known else _heard(network, arguments.recording, folder, out)
    write_whole(out / "evaluation.md", lambda path: path.write_text(text, encoding="utf-8"))
    print(re.sub(r"^!\[.*\n+", "", text, flags=re.MULTILINE))
    print(f"the same with pictures: {out / 'evaluation.md'}")
    return 0


def _evaluated(network: "Classifier", known: Known, folder: RunFolder | None, out: Path) -> str:
    from digitd.trainer import cache, evaluation_report
    from digitd.trainer.evaluation import evaluate
    from digitd.trainer.examples import Ear
    from digitd.trainer.feature_cache import FeatureCache

    ear = Ear(network.features, known.run.room, known.run.seed)
    found = evaluate(network, known.recordings, ear, FeatureCache(cache.folder("features")))
    return f"# {network.name}\n\n{_strangers(known, folder)}\n\n{evaluation_report.write(found, out, '')}\n"


def _strangers(known: Known, folder: RunFolder | None) -> str:
    """Beside every accuracy stands whether those who are heard were trained on."""
    speakers = {recording.speaker for recording in known.recordings}
    where = f"On the {known.part} part of a split by {known.run.split.kind}"
    if folder is None:
        return f"{where}; whom the bundle was trained on is told in its card."
    trained_on = speakers & {recording.speaker for recording in folder.split.train}
    if not trained_on:
        return f"{where}, by strangers: nobody of them was trained on."
    return f"{where}: **{len(trained_on)} of its {len(speakers)} speakers were trained on**; a stranger is heard worse."


def _heard(network: "Classifier", files: list[Path], folder: RunFolder | None, out: Path) -> str:
    from digitd.trainer import pictures

    text = [f"# {network.name}"]
    for file, name in zip(files, _picture_names(files), strict=True):
        text += [f"## {file}", pictures.own_recording(network, file, out, name)]
        if folder is not None:  # a bundle's layers cannot be looked into
            text.append(pictures.layers(network, file, folder, out, f"{name}-layers"))
    return "\n\n".join(text) + "\n"


def _picture_names(files: list[Path]) -> list[str]:
    """For each file a name that Markdown can link to, and that no other file has."""
    names = [re.sub(r"[^\w.-]+", "-", file.stem) for file in files]
    return [f"{name}-{at}" if names.count(name) > 1 else name for at, name in enumerate(names, start=1)]


def _known(arguments: argparse.Namespace, folder: RunFolder | None) -> Known:
    if arguments.on is not None:
        run = read_run(arguments.on)
        parts = split(recordings(run, arguments.on.parent), run.split, run.stream.labels if run.stream else None)
    elif folder is not None:
        run, parts = folder.run, folder.split
    else:
        raise ConfigError(f"{arguments.network} is no run folder, so it names no recordings; give a run file with --on")
    chosen = [each for name in PARTS if arguments.part in (name, "all") for each in getattr(parts, name)]
    return Known(run, arguments.part, chosen, [each for each in parts.train if each.kind == "noise"])


COMMANDS = {"evaluate": Command(_add_evaluate, _evaluate)}
