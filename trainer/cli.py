"""The trainer's subcommand: train."""

import argparse
import faulthandler
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from digitd.daemon.command import Command
from digitd.daemon.errors import TrainingError
from digitd.trainer import cluster
from digitd.trainer.run_folder import RunFolder
from digitd.trainer.runfile import Run, read_run, recordings
from digitd.trainer.split import Split, split

WAIT_S = 300.0


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN.toml", help="the run file")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the run folder to make (default runs/NAME)")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was killed")
    parser.add_argument(
        "--wait-s",
        type=float,
        default=WAIT_S,
        metavar="S",
        help=f"how long to wait for the other workers of {cluster.VARIABLE} (default {WAIT_S:g})",
    )


def _train(arguments: argparse.Namespace) -> int:
    run = read_run(arguments.run)
    labels = run.stream.labels if run.stream else None
    parts = split(recordings(run, arguments.run.parent), run.split, labels)
    workers = cluster.from_environment()
    out = arguments.out or Path("runs") / run.name
    with _folder(out, run, parts, resume=arguments.resume, is_chief=workers is None or workers.is_chief) as folder:
        result = folder.result or _trained(run, parts, folder, workers, arguments.wait_s)
    if workers and not workers.is_chief:
        print(f"worker {workers.index} is done: the run folder is the chief's, {workers.workers[0]}")
        return 0
    print(json.dumps(result, indent=2))
    if result["split"] == "random":
        print("split: RANDOM - the same speakers are in every part; a stranger's accuracy is far lower")
    return 0


def _trained(
    run: Run, parts: Split, folder: RunFolder, workers: cluster.Cluster | None, wait_s: float
) -> dict[str, Any]:
    if run.stream is not None:
        from digitd.trainer import stream_train

        if workers is not None:
            raise TrainingError(f"{run.network} hears a stream and is trained by one worker; unset {cluster.VARIABLE}")
        return stream_train.train(run, parts, folder)
    from digitd.trainer import cache, devices, fit  # TensorFlow: after all that can be answered without it
    from digitd.trainer.feature_cache import FeatureCache

    if workers is None:
        chosen = devices.choose(run.training.precision)
    else:
        workers.await_workers(wait_s)
        # should one die just now, TensorFlow waits for it where no Python code runs any more
        faulthandler.dump_traceback_later(wait_s, exit=True)
        chosen = devices.choose(run.training.precision, workers)
        faulthandler.cancel_dump_traceback_later()
    return fit.train(run, parts, folder, FeatureCache(cache.folder("features")), chosen)


@contextmanager
def _folder(out: Path, run: Run, parts: Split, *, resume: bool, is_chief: bool) -> Iterator[RunFolder]:
    """The run folder; of a worker that is not the chief, a copy that is thrown away."""
    if not is_chief:
        with tempfile.TemporaryDirectory(prefix="digitd-worker-") as scratch:
            copy = Path(scratch) / "run"
            if resume:
                shutil.copytree(RunFolder.resume(out, run, parts).path, copy)
            yield RunFolder(copy) if resume else RunFolder.create(copy, run, parts)
        return
    folder = RunFolder.resume(out, run, parts) if resume else RunFolder.create(out, run, parts)
    try:
        yield folder
    except BaseException:
        if not resume and folder.checkpoint is None and folder.result is None:
            shutil.rmtree(out)  # nothing was trained: leave nothing half-written
        raise


COMMANDS = {"train": Command(_add_train, _train)}
