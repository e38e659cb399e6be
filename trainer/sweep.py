"""Runs the rows of a study, each in a process of its own; killed at any moment, it goes on where it stopped."""

import csv
import fcntl
import io
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import tomli_w
from tqdm import tqdm

from digitd.daemon.errors import ConfigError, CorpusError, TrainingError
from digitd.daemon.settings import as_table
from digitd.trainer.run_folder import RunFolder, make_folder, write_whole
from digitd.trainer.runfile import recordings
from digitd.trainer.scores import percent
from digitd.trainer.split import Split, split
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

    @property
    def status(self) -> str:
        """`failed`, `finished` or `not run`."""
        return "failed" if self.error else "finished" if self.result else "not run"


class Sweep:
    """The jobs of a study in a folder: one run folder each, run files, logs and results.csv."""

    def __init__(self, study: Study, out: Path) -> None:
        self.study = study
        self.out = out
        self._splits: dict[tuple[Any, ...], Split | None] = {}

    def run(self, names: Sequence[str]) -> list[Outcome]:
        """Train what is asked for and not finished; the outcomes of all jobs of the study.

        Raises:
            TrainingError: another sweep is at work in the folder, or it cannot be written.
        """
        with self._alone():
            asked = [job for job in self.study.jobs if job.is_asked(names)]
            self._train([job for job in asked if not self.outcome(job).result])
            return self._write_results()

    def _write_results(self) -> list[Outcome]:
        outcomes = [self.outcome(job) for job in self.study.jobs]
        write_whole(self.out / "results.csv", lambda path: path.write_text(table(outcomes), encoding="utf-8"))
        return outcomes

    def outcome(self, job: Job) -> Outcome:
        """How a job stands on disk; the result of a run that is not the study's any more is kept, but not believed."""
        folder, failure = RunFolder(self.out / job.name), self._failure(job)
        try:
            result = folder.result
            if result is None:
                return Outcome(job, folder, {}, failure.read_text(encoding="utf-8") if failure.exists() else "")
            self._check(job)
        except TrainingError as error:
            return Outcome(job, folder, {}, f"{error}; remove {folder.path} to train it anew")
        return Outcome(job, folder, result)

    def _check(self, job: Job) -> None:
        """Raises TrainingError where a finished run had another configuration or other recordings."""
        RunFolder.resume(self.out / job.name, self._placed(job), self._split(job))

    def _split(self, job: Job) -> Split | None:
        """None where the recordings are not here: how a run was configured still tells."""
        labels = job.run.stream.labels if job.run.stream else None
        known_by = (job.run.corpora, job.run.split, labels)
        if known_by not in self._splits:
            try:
                self._splits[known_by] = split(recordings(job.run, self.study.path.parent), job.run.split, labels)
            except (ConfigError, CorpusError):
                self._splits[known_by] = None
        return self._splits[known_by]

    def _failure(self, job: Job) -> Path:
        return self.out / "logs" / f"{job.name}.error"

    def _train(self, jobs: Sequence[Job]) -> None:
        with tqdm(total=sum(job.run.training.epochs for job in jobs), unit="epoch", disable=None) as bar:
            for job in jobs:
                bar.set_description(job.name)
                before = bar.n
                self._failure(job).unlink(missing_ok=True)
                error = self._train_one(job, bar)
                bar.update(before + job.run.training.epochs - bar.n)
                if error:
                    write_whole(self._failure(job), partial(Path.write_text, data=error, encoding="utf-8"))
                outcome = self.outcome(job)
                if outcome.result:
                    bar.write(f"{job.name}: test {percent(outcome.result['test']['accuracy'])}")
                else:
                    bar.write(f"{job.name}: {outcome.error}", file=sys.stderr)
                self._write_results()

    def _train_one(self, job: Job, bar: Any) -> str:
        """Train in a process of its own: its memory is measured alone, and its death costs no other row."""
        run_file, folder = self._run_file(job), RunFolder(self.out / job.name)
        command = [*ORPHANS_DIE, sys.executable, "-m", "digitd", "train", str(run_file), "--out", str(folder.path)]
        log_path = self.out / "logs" / f"{job.name}.log"
        began_at, shown = bar.n, 0
        if folder.path.exists():
            command.append("--resume")
        try:
            with log_path.open("w", encoding="utf-8") as log:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        except OSError as error:
            return f"cannot be started ({error})"
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
        for folder in (self.out, self.out / "run-files", self.out / "logs"):
            make_folder(folder)
        try:
            lock = (self.out / ".lock").open("w")
        except OSError as error:
            raise TrainingError(f"{self.out}: cannot be written ({error.strerror}); name another --out") from error
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
    *(
        "epochs",
        "kept_epoch",
        "test_accuracy",
        "test_low",
        "test_high",
        "test_examples",
        "test_unheard",
        "test_speakers",
    ),
    *(
        "validation_accuracy",
        "train_accuracy",
        "training_s",
        "input_s",
        "waited_s",
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
        "status": outcome.status,
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
    line |= {"test_accuracy": test["accuracy"]["share"], "test_examples": test["examples"]}
    line |= {"test_low": test["accuracy"]["low"], "test_high": test["accuracy"]["high"]}
    line |= {
        "test_speakers": test["speakers"],
        "test_unheard": test["unheard"],
        "validation_accuracy": result["validation"]["accuracy"]["share"],
    }
    return line | {"train_accuracy": result["train"]["accuracy"]["share"], "split": job.split}
