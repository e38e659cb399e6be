"""Runs the rows of a study, each in a process of its own; killed at any moment, it goes on where it stopped."""

import csv
import fcntl
import io
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w
from tqdm import tqdm

from digitd.daemon.errors import DigitdError, TrainingError
from digitd.daemon.settings import as_table
from digitd.trainer.run_folder import RunFolder, write_whole
from digitd.trainer.runfile import recordings
from digitd.trainer.scores import percent
from digitd.trainer.split import split
from digitd.trainer.study import Job, Study

POLL_S = 0.5
CHANCE_S = 30.0
"""So long a training that is told to stop may take before it is killed."""
ORPHANS_DIE = ("setpriv", "--pdeathsig", "KILL")
"""util-linux: should the sweep itself be killed, its training must not go on unseen and write into the same folder."""
ERROR = re.compile(r"^digitd: error: (.*)", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """How a job stands."""

    job: Job
    folder: RunFolder
    result: dict[str, Any]
    """result.json of a finished run; empty where it is not finished."""
    error: str = ""
    """Why it failed; empty where it is finished or has not been asked for."""


class Sweep:
    """The jobs of a study in a folder: one run folder each, run files, logs and results.csv."""

    def __init__(self, study: Study, out: Path) -> None:
        self.study = study
        self.out = out

    def run(self, names: Sequence[str]) -> list[Outcome]:
        """Train what is asked for and not finished; the outcomes of all jobs of the study.

        Raises:
            TrainingError: another sweep is at work in the folder, or it cannot be written.
        """
        with self._alone():
            asked = [job for job in self.study.jobs if not names or {job.name, job.row.name} & set(names)]
            errors = self._train([job for job in asked if not self.outcome(job).result])
            errors.update({job.name: error for job in asked if (error := self._stale(job))})
            return self._write_results(errors)

    def _write_results(self, errors: Mapping[str, str]) -> list[Outcome]:
        outcomes = [replace(self.outcome(job), error=errors.get(job.name, "")) for job in self.study.jobs]
        write_whole(self.out / "results.csv", lambda path: path.write_text(table(outcomes), encoding="utf-8"))
        return outcomes

    def outcome(self, job: Job) -> Outcome:
        """How a job stands on disk."""
        folder = RunFolder(self.out / job.name)
        return Outcome(job, folder, folder.result or {})

    def _stale(self, job: Job) -> str:
        """Why a finished run is not the study's any more; it is kept, not repeated and not silently believed."""
        try:
            if self.outcome(job).result:
                self._resumed(job)
        except DigitdError as error:
            return f"{error}; remove that folder to train it anew"
        return ""

    def _resumed(self, job: Job) -> RunFolder:
        parts = split(recordings(job.run, self.study.path.parent), job.run.split)
        return RunFolder.resume(self.out / job.name, self._placed(job), parts)

    def _train(self, jobs: Sequence[Job]) -> dict[str, str]:
        """The errors of the jobs that failed."""
        errors: dict[str, str] = {}
        with tqdm(total=sum(job.run.training.epochs for job in jobs), unit="epoch", disable=None) as bar:
            for job in jobs:
                bar.set_description(job.name)
                before = bar.n
                error = self._train_one(job, bar)
                bar.update(before + job.run.training.epochs - bar.n)
                if error:
                    errors[job.name] = error
                    bar.write(f"{job.name}: {error}", file=sys.stderr)
                else:
                    bar.write(f"{job.name}: test {percent(self.outcome(job).result['test']['accuracy'])}")
                self._write_results(errors)
        return errors

    def _train_one(self, job: Job, bar: Any) -> str:
        """Train in a process of its own: its memory is measured alone, and its death costs no other row."""
        run_file, folder = self._run_file(job), RunFolder(self.out / job.name)
        command = [*ORPHANS_DIE, sys.executable, "-m", "digitd", "train", str(run_file), "--out", str(folder.path)]
        log_path = self.out / "logs" / f"{job.name}.log"
        began_at, shown = bar.n, 0
        with log_path.open("w", encoding="utf-8") as log:
            if folder.path.exists():
                command.append("--resume")
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
            try:
                while process.poll() is None:
                    time.sleep(POLL_S)
                    shown = max(shown, len(folder.history))
                    bar.update(began_at + shown - bar.n)
            finally:
                _stop(process)
        return "" if process.returncode == 0 else _reason(process.returncode, log_path)

    def _placed(self, job: Job) -> Any:
        """The run with its corpora's folders as seen from anywhere; those that begin with a variable stay."""
        base = self.study.path.parent.resolve()
        corpora = [
            corpus if corpus.folder.startswith("$") else replace(corpus, folder=str(base / corpus.folder))
            for corpus in job.run.corpora
        ]
        return replace(job.run, corpora=tuple(corpora))

    def _run_file(self, job: Job) -> Path:
        path = self.out / "run-files" / f"{job.name}.toml"
        text = tomli_w.dumps(as_table(self._placed(job)))
        write_whole(path, lambda beside: beside.write_text(text, encoding="utf-8"))
        return path

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            for folder in (self.out, self.out / "run-files", self.out / "logs"):
                folder.mkdir(parents=True, exist_ok=True)
            lock = (self.out / ".lock").open("w")
        except OSError as error:
            raise TrainingError(f"{self.out}: cannot be made ({error.strerror}); name a writable --out") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise TrainingError(
                    f"{self.out}: another sweep is at work in it; wait, or name another --out"
                ) from error
            yield


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Let a training that still runs end as after Ctrl-C."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        process.wait(CHANCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _reason(status: int, log_path: Path) -> str:
    if status == -signal.SIGKILL:
        return f"was killed (out of memory?); its log is {log_path}"
    found: list[str] = ERROR.findall(log_path.read_text(encoding="utf-8", errors="replace"))
    return found[-1] if found else f"ended with status {status}; its log is {log_path}"


def table(outcomes: Sequence[Outcome]) -> str:
    """results.csv: a line a job."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_line(outcome) for outcome in outcomes)
    return text.getvalue()


COLUMNS = (
    *("row", "split", "groups", "status", "network", "parameters", "batch_size", "optimiser", "learning_rate"),
    *("epochs", "kept_epoch", "test_accuracy", "test_low", "test_high", "test_recordings", "test_speakers"),
    *(
        "validation_accuracy",
        "train_accuracy",
        "training_s",
        "input_s",
        "peak_memory_mb",
        "device",
        "precision",
        "error",
    ),
)


def _line(outcome: Outcome) -> dict[str, Any]:
    job, result = outcome.job, outcome.result
    line = {
        "row": job.row.name,
        "split": job.split,
        "groups": "; ".join(job.row.groups),
        "status": "failed" if outcome.error else "finished" if result else "not run",
        "network": job.run.network,
        "batch_size": job.run.training.batch_size,
        "optimiser": job.run.training.optimiser,
        "learning_rate": job.run.training.learning_rate,
        "error": outcome.error,
    }
    if not result:
        return line
    test = result["test"]
    line |= {key: result[key] for key in COLUMNS if key in result}
    line |= {"test_accuracy": test["accuracy"]["share"], "test_recordings": test["examples"]}
    line |= {"test_low": test["accuracy"]["low"], "test_high": test["accuracy"]["high"]}
    line |= {"test_speakers": test["speakers"], "validation_accuracy": result["validation"]["accuracy"]["share"]}
    return line | {"train_accuracy": result["train"]["accuracy"]["share"], "split": job.split}
