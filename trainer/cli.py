"""The trainer's subcommand: train."""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from digitd.daemon.command import Command
from digitd.daemon.errors import TrainingError
from digitd.trainer.feature_cache import FeatureCache, default_folder
from digitd.trainer.run_folder import RunFolder
from digitd.trainer.runfile import Run, read_run, recordings
from digitd.trainer.split import Split, split


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN.toml", help="the run file")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the run folder to make (default runs/NAME)")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was killed")


def _train(arguments: argparse.Namespace) -> int:
    run = read_run(arguments.run)
    parts = split(recordings(run, arguments.run.parent), run.split)
    out = arguments.out or Path("runs") / run.name
    folder = RunFolder.resume(out, run, parts) if arguments.resume else RunFolder.create(out, run, parts)
    try:
        result = _fitted(run, parts, folder)
    except BaseException:
        if not arguments.resume and folder.checkpoint is None:
            shutil.rmtree(out)  # nothing was trained: leave nothing half-written
        raise
    print(json.dumps(result, indent=2))
    if result["split"] == "random":
        print("split: RANDOM - the same speakers are in every part; a stranger's accuracy is far lower")
    return 0


def _fitted(run: Run, parts: Split, folder: RunFolder) -> dict[str, Any]:
    try:
        from digitd.trainer.fit import train  # TensorFlow: after all that can be answered without it
    except ModuleNotFoundError as error:
        raise TrainingError(f"training needs {error.name}: pip install 'digitd[train]'") from error
    return train(run, parts, folder, FeatureCache(default_folder()))


COMMANDS = {"train": Command(_add_train, _train)}
