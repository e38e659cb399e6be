"""`digitd evaluate`: a run or a bundle on known recordings, or on one's own."""

import csv
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT

pytestmark = pytest.mark.train
Digitd = Callable[..., subprocess.CompletedProcess[Any]]


def table(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.parametrize("network", ["run", "bundle"])
def test_evaluate(digitd: Digitd, swept: Path, tmp_path: Path, network: str) -> None:
    out = tmp_path / "evaluation"
    of = {"run": swept / "out/adam-strangers", "bundle": "study64"}[network]
    run_file = swept / "out/run-files/adam-strangers.toml"
    done = digitd("evaluate", of, "--on", run_file, "--part", "all", "--out", out)
    assert done.returncode == 0, done.stderr
    confusion = [[int(count) for count in row[1:]] for row in table(out / "confusion.csv")[1:]]
    right, total = sum(confusion[n][n] for n in range(10)), sum(map(sum, confusion))
    assert total == 80  # four voices say ten digits twice; none is lost
    told = re.search(r"([\d.]+) % \([\d.]+-[\d.]+\) of 80 recordings", done.stdout)
    assert told
    assert float(told[1]) == pytest.approx(100 * right / total, abs=0.051)
    speakers = {row[0]: row[1:] for row in table(out / "speakers.csv")[1:]}
    assert set(speakers) == {"fsdd-slt", "fsdd-rms", "fsdd-kal", "fsdd-awb"}
    assert sum(float(row[0]) * float(row[3]) for row in speakers.values()) == pytest.approx(right, abs=0.1)
    recall = {row[0]: float(row[2]) for row in table(out / "report.csv")[1:]}
    for digit in range(10):
        assert recall[str(digit)] == pytest.approx(confusion[digit][digit] / sum(confusion[digit]))
    det = [[float(value) for value in row] for row in table(out / "det.csv")[1:]]
    assert [row[1] for row in det] == sorted((row[1] for row in det), reverse=True)
    assert [row[2] for row in det] == sorted(row[2] for row in det)
    assert {"confusion.png", "speakers.png", "det.png", "evaluation.md"} <= {path.name for path in out.iterdir()}
    assert f"On the all part of a split by speakers{': **2 of its 4' if network == 'run' else '; whom'}" in done.stdout
    if network == "bundle":
        assert right / total > 0.7  # clear synthetic voices


def test_ones_own_recording_goes_through_a_run_and_a_bundle(digitd: Digitd, swept: Path, tmp_path: Path) -> None:
    demo = ROOT / "tests/data/demo.flac"
    done = digitd("evaluate", "study64", "--recording", demo, "--out", tmp_path)
    heard = re.findall(r"\| [\d.]+-[\d.]+ s \| (\d) ", done.stdout)
    assert heard == list("3141592")
    done = digitd("evaluate", swept / "out/adam-random", "--recording", demo, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"demo.png", "demo-layers.png", "evaluation.md"}


def test_pictures_of_recordings_do_not_take_each_others_names(digitd: Digitd, tmp_path: Path) -> None:
    files = [tmp_path / "a/my demo (1).flac", tmp_path / "b/my demo (1).flac"]
    for file in files:
        file.parent.mkdir()
        shutil.copy(ROOT / "tests/data/demo.flac", file)
    out = tmp_path / "out"
    assert digitd("evaluate", "study64", "--recording", *files, "--out", out).returncode == 0
    linked = re.findall(r"\]\(([^)]+)\)", (out / "evaluation.md").read_text())
    assert sorted(linked) == sorted(path.name for path in out.glob("*.png"))
    assert len(linked) == 2


def test_a_network_that_has_diverged_is_told(digitd: Digitd, swept: Path, tmp_path: Path) -> None:
    import keras
    import numpy as np

    run = tmp_path / "run"
    shutil.copytree(swept / "out/adam-random", run)
    model = keras.saving.load_model(run / "model.keras")
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    model.save(run / "model.keras")
    done = digitd("evaluate", run, "--out", tmp_path / "out")
    assert (done.returncode, "its training has diverged; train it anew" in done.stderr) == (2, True), done.stderr


def test_what_cannot_be_evaluated_is_told(digitd: Digitd, swept: Path, tmp_path: Path) -> None:
    words = tmp_path / "words"
    shutil.copytree(swept / "corpus/recordings", words / "tree", copy_function=shutil.copy)
    run_file = tmp_path / "words.toml"
    corpus = f'[[corpora]]\nreader = "folders"\nfolder = "{words}"\n'
    run_file.write_text(f'name = "w"\nnetwork = "final64"\n[split]\nkind = "random"\n{corpus}')
    cases: dict[str, list[str | Path]] = {
        "is no run folder, so it names no recordings; give a run file with --on": ["study64"],
        "labelled 'tree', which study64 does not know; its labels are 0, 1": ["study64", "--on", run_file],
        "no bundle 'study46'": ["study46", "--on", run_file],
        "none.wav: cannot be read": ["study64", "--recording", tmp_path / "none.wav"],
    }
    for problem, arguments in cases.items():
        done = digitd("evaluate", *arguments, "--out", tmp_path / "out")
        assert done.returncode == 2, problem
        assert problem in done.stderr, done.stderr
