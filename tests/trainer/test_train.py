"""`digitd train`: the founding network, a run folder, and a kill that costs nothing."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from tests.conftest import ROOT

pytestmark = pytest.mark.train
Digitd = Callable[..., subprocess.CompletedProcess[Any]]
SPLIT = '[split]\ntest_speakers = ["fsdd-slt"]\nvalidation_speakers = ["fsdd-awb"]\n'


def run_file(folder: Path, corpus: Path, epochs: int, split: str = SPLIT) -> Path:
    path = folder / "run.toml"
    path.write_text(
        f'name = "small"\nnetwork = "final64"\n{split}[training]\nepochs = {epochs}\ntakes = 2\nspeed_range = 0.1\n'
        f'[[corpora]]\nreader = "fsdd"\nfolder = "{corpus}"\n'
    )
    return path


def test_a_run_folder_tells_everything(digitd: Digitd, tmp_path: Path, spoken_digits: Path) -> None:
    out = tmp_path / "out"
    done = digitd("train", run_file(tmp_path, spoken_digits, epochs=1), "--out", out)
    assert done.returncode == 0, done.stderr
    result = json.loads((out / "result.json").read_text())
    assert result["split"] == "speakers"
    assert result["parameters"] == 6_446_986
    assert [result[part]["examples"] for part in ("train", "validation", "test")] == [80, 20, 20]
    assert 'optimiser = "adam"' in (out / "run.toml").read_text()  # a default, made explicit
    assert (out / "history.csv").read_text().startswith("epoch,accuracy,loss,val_accuracy,val_loss,wall_s,cpu_s\n1,")
    assert {"python", "keras", "numpy"} <= json.loads((out / "versions.json").read_text()).keys()
    assert "seed = 1" in (out / "run.toml").read_text()
    assert len((out / "split.tsv").read_text().splitlines()) == 81
    again = digitd("train", tmp_path / "run.toml", "--out", out)
    assert (again.returncode, "exists already" in again.stderr) == (2, True)


def test_a_random_split_is_reported_as_such(digitd: Digitd, tmp_path: Path, spoken_digits: Path) -> None:
    path = run_file(tmp_path, spoken_digits, 1, split='[split]\nkind = "random"\n')
    done = digitd("train", path, "--out", tmp_path / "out")
    assert "split: RANDOM" in done.stdout
    assert json.loads((tmp_path / "out/result.json").read_text())["split"] == "random"


def weights(out: Path) -> list[np.ndarray]:
    import keras

    return [np.asarray(weight) for weight in keras.saving.load_model(out / "model.keras").get_weights()]


def history(out: Path) -> list[str]:
    """history.csv without the times."""
    return [line.rsplit(",", 2)[0] for line in (out / "history.csv").read_text().splitlines()]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, spoken_digits: Path) -> tuple[Path, Path]:
    """A run file of four epochs, and the folder of its training as a kill after two or three has left it."""
    folder = tmp_path_factory.mktemp("killed")
    path, out = run_file(folder, spoken_digits, epochs=4), folder / "out"
    command = [sys.executable, "-m", "digitd", "train", str(path), "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as training:
        while not list((out / "checkpoints").glob("epoch-0000[23].keras")):
            assert training.poll() is None
            time.sleep(0.01)
        training.send_signal(signal.SIGKILL)
    return path, out


def test_a_killed_run_resumes_to_the_same_weights(digitd: Digitd, tmp_path: Path, killed: tuple[Path, Path]) -> None:
    path, left = killed
    out, whole = tmp_path / "out", tmp_path / "whole"
    shutil.copytree(left, out)
    unfinished = digitd("export", out, "--name", "x", "--out", tmp_path / "models")
    assert (unfinished.returncode, "is not finished" in unfinished.stderr) == (2, True)
    assert digitd("train", path, "--out", whole).returncode == 0
    resumed = digitd("train", path, "--out", out, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "Epoch 1/4" not in resumed.stdout
    for one, other in zip(weights(whole), weights(out), strict=True):
        np.testing.assert_array_equal(one, other)
    assert history(whole) == history(out)
    assert not (out / "checkpoints").exists()
    again = digitd("train", path, "--out", out, "--resume")
    assert (again.returncode, "Epoch" in again.stdout) == (0, False)


def test_a_damaged_checkpoint_is_told(digitd: Digitd, tmp_path: Path, killed: tuple[Path, Path]) -> None:
    path, left = killed
    out = tmp_path / "out"
    shutil.copytree(left, out)
    checkpoint = max((out / "checkpoints").glob("epoch-*.keras"))
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    done = digitd("train", path, "--out", out, "--resume")
    assert done.returncode == 2
    assert re.search(rf"{checkpoint.name}: missing or damaged .*; delete it to start this run anew", done.stderr)


def test_a_full_disk_during_a_checkpoint_costs_no_finished_epoch(
    digitd: Digitd, tmp_path: Path, killed: tuple[Path, Path]
) -> None:
    path, left = killed
    out = tmp_path / "out"
    shutil.copytree(left, out)
    before = {file.name: file.read_bytes() for file in (out / "checkpoints").glob("epoch-*.keras")}
    full = f'ulimit -f 20000; exec "{sys.executable}" -m digitd train "{path}" --out "{out}" --resume'
    done = subprocess.run(["bash", "-c", full], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2, done.stderr
    assert re.search(
        r"epoch-0000\d.keras: cannot be written \(.*File too large.*\); free or mend the disk", done.stderr
    )
    assert {file.name: file.read_bytes() for file in (out / "checkpoints").iterdir()} == before
    assert digitd("train", path, "--out", out, "--resume").returncode == 0


def test_the_best_epoch_is_kept_and_a_training_without_progress_stops(
    digitd: Digitd, tmp_path: Path, spoken_digits: Path
) -> None:
    path = run_file(tmp_path, spoken_digits, epochs=30)
    options = 'keep = "best"\nearly_stopping_epochs = 2\nlearning_rate = 0.003\ntensorboard = true\n'
    path.write_text(path.read_text().replace("takes = 2\n", f"takes = 1\n{options}"))
    out = tmp_path / "out"
    assert digitd("train", path, "--out", out).returncode == 0
    result = json.loads((out / "result.json").read_text())
    losses = [float(line.split(",")[4]) for line in history(out)[1:]]
    best = losses.index(min(losses)) + 1
    assert (result["kept_epoch"], result["epochs"]) == (best, best + 2)
    assert best + 2 < 30
    shares = [float(line.split(",")[3]) for line in history(out)[1:]]
    assert result["validation"]["accuracy"]["share"] == pytest.approx(shares[best - 1], abs=1e-4)
    assert list((out / "tensorboard/train").glob("events.out.tfevents.*"))


def test_bad_input_is_one_line_and_leaves_nothing(digitd: Digitd, tmp_path: Path, spoken_digits: Path) -> None:
    good = run_file(tmp_path, spoken_digits, epochs=1).read_text()
    empty = tmp_path / "empty"
    empty.mkdir()
    one_speaker = tmp_path / "one"
    shutil.copytree(
        spoken_digits, one_speaker, ignore=lambda _, names: [n for n in names if "_rms_" not in n and "." in n]
    )
    cases = {
        "no network 'final46'; did you mean 'final64'?": good.replace("final64", "final46"),
        "training.epoch: unknown key; did you mean 'epochs'?": good.replace("epochs =", "epoch ="),
        "'nadem' must be one of 'adam', 'adamw', 'nadam', 'rmsprop', 'sgd'; did you mean 'nadam'?": good.replace(
            "takes", 'optimiser = "nadem"\ntakes'
        ),
        "activations.dense: 'sigmoit' must be one of": f'{good}[activations]\ndense = "sigmoit"\n',
        "labelled 'ten'; known are 0, 1, 2": f'{good}labels = ["1", "ten"]\n',
        "1 speaker(s), split by speakers, is empty": good.replace(str(spoken_digits), str(one_speaker)).replace(
            SPLIT, ""
        ),
        "holds no recordings": good.replace(str(spoken_digits), str(empty)),
        "no speaker 'fsdd-sl'": good.replace("fsdd-slt", "fsdd-sl"),
        "names an environment variable that is not set": good.replace(str(spoken_digits), "$DIGITD_NOWHERE"),
        "no valid TOML": "name = ",
    }
    for problem, text in cases.items():
        (tmp_path / "run.toml").write_text(text)
        done = digitd("train", tmp_path / "run.toml", "--out", tmp_path / "out")
        assert done.returncode == 2, problem
        assert problem in done.stderr
        assert done.stderr.count("\n") == 1
        assert not (tmp_path / "out").exists()


def test_what_cannot_be_trained_leaves_no_folder(digitd: Digitd, tmp_path: Path, spoken_digits: Path) -> None:
    silent = tmp_path / "silent"
    shutil.copytree(spoken_digits, silent)
    for path in (silent / "recordings").glob("*_awb_*.wav"):
        soundfile.write(path, np.zeros(8000), 16000)
    damaged = tmp_path / "damaged"
    shutil.copytree(spoken_digits, damaged)
    (damaged / "recordings/7_rms_0.wav").write_bytes(b"RIFF")
    good = run_file(tmp_path, spoken_digits, epochs=1).read_text()
    cases = {
        "no speech was found in any of 20 recordings for validation": good.replace(str(spoken_digits), str(silent)),
        "7_rms_0.wav: no WAV or FLAC file": good.replace(str(spoken_digits), str(damaged)),
        "final64 cannot see (8, 8) features": f"{good}[features]\nn_mels = 8\nn_frames = 8\n",
    }
    for problem, text in cases.items():
        (tmp_path / "run.toml").write_text(text)
        done = digitd("train", tmp_path / "run.toml", "--out", tmp_path / "out")
        assert done.returncode == 2, done.stderr
        assert problem in done.stderr
        assert not (tmp_path / "out").exists()


def test_a_run_does_not_resume_on_other_recordings(digitd: Digitd, tmp_path: Path, spoken_digits: Path) -> None:
    corpus = tmp_path / "corpus"
    shutil.copytree(spoken_digits, corpus)
    path = run_file(tmp_path, corpus, epochs=1)
    assert digitd("train", path, "--out", tmp_path / "out").returncode == 0
    (corpus / "recordings/0_rms_0.wav").unlink()
    done = digitd("train", path, "--out", tmp_path / "out", "--resume")
    assert (done.returncode, "was started with other recordings" in done.stderr) == (2, True)


def test_an_unwritable_output_folder_is_told(digitd: Digitd, tmp_path: Path, spoken_digits: Path) -> None:
    done = digitd("train", run_file(tmp_path, spoken_digits, 1), "--out", "/proc/digitd")
    assert done.returncode == 2
    assert "/proc/digitd: cannot be made" in done.stderr


def test_the_committed_run_files_are_valid() -> None:
    from digitd.trainer.runfile import read_run

    files = list((ROOT / "trainer/runs").glob("*.toml"))
    assert files
    for file in files:
        assert read_run(file).name == file.stem
