"""The trainer's subcommand: train."""

import argparse
import json
from pathlib import Path

from digitd.daemon.command import Command
from digitd.trainer.run_folder import RunFolder
from digitd.trainer.runfile import read_run, recordings
from digitd.trainer.split import split


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN.toml", help="the run file")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the run folder to make (default runs/NAME)")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was killed")


def _train(arguments: argparse.Namespace) -> int:
    run = read_run(arguments.run)
    parts = split(recordings(run, arguments.run.parent), run.split)
    out = arguments.out or Path("runs") / run.name
    folder = RunFolder.resume(out, run) if arguments.resume else RunFolder.create(out, run, parts)
    from digitd.trainer.fit import train  # TensorFlow: after all that can be answered without it

    result = train(run, parts, folder)
    print(json.dumps(result, indent=2))
    if result["split"] == "random":
        print("split: RANDOM - the same speakers are in every part; a stranger's accuracy is far lower")
    return 0


COMMANDS = {"train": Command(_add_train, _train)}
