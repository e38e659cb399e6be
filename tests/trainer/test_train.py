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


def test_the_founding_studys_network_has_its_parameters() -> None:
    from digitd.trainer import networks

    model = networks.build("final64", (64, 64, 1), 10)
    assert model.count_params() == 6_446_986
    kinds = [type(layer).__name__ for layer in model.layers[1:]]
    assert kinds == ["Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Flatten", "Dense", "Dense"]


def test_a_run_folder_tells_everything(digitd: Digitd, tmp_path: Path, spoken_digits: Path) -> None:
    out = tmp_path / "out"
    done = digitd("train", run_file(tmp_path, spoken_digits, epochs=1), "--out", out)
    assert done.returncode == 0, done.stderr
    result = json.loads((out / "result.json").read_text())
    assert result["split"] == "speakers"
    assert result["parameters"] == 6_446_986
    assert [result[part]["examples"] for part in ("train", "validation", "test")] == [80, 20, 20]
    assert 'optimiser = "adam"' in (out / "run.toml").read_text()  # a default, made explicit
    assert (out / "history.csv").read_text().startswith("epoch,accuracy,loss,val_accuracy,val_loss\n1,")
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


def test_a_killed_run_resumes_to_the_same_weights(digitd: Digitd, tmp_path: Path, spoken_digits: Path) -> None:
    path = run_file(tmp_path, spoken_digits, epochs=4)
    assert digitd("train", path, "--out", tmp_path / "whole").returncode == 0
    command = [sys.executable, "-m", "digitd", "train", str(path), "--out", str(tmp_path / "killed")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as training:
        while not list((tmp_path / "killed/checkpoints").glob("epoch-0000[23].keras")):
            assert training.poll() is None
            time.sleep(0.01)
        training.send_signal(signal.SIGKILL)
    assert not (tmp_path / "killed/model.keras").exists()
    unfinished = digitd("export", tmp_path / "killed", "--name", "x", "--out", tmp_path / "models")
    assert (unfinished.returncode, "is not finished" in unfinished.stderr) == (2, True)
    resumed = digitd("train", path, "--out", tmp_path / "killed", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "Epoch 1/4" not in resumed.stdout
    for one, other in zip(weights(tmp_path / "whole"), weights(tmp_path / "killed"), strict=True):
        np.testing.assert_array_equal(one, other)
    histories = [(tmp_path / name / "history.csv").read_text() for name in ("whole", "killed")]
    assert histories[0] == histories[1]


def test_bad_input_is_one_line_and_leaves_nothing(digitd: Digitd, tmp_path: Path, spoken_digits: Path) -> None:
    good = run_file(tmp_path, spoken_digits, epochs=1).read_text()
    empty = tmp_path / "empty"
    empty.mkdir()
    cases = {
        "no network 'final46'; did you mean 'final64'?": good.replace("final64", "final46"),
        "training.epoch: unknown key; did you mean 'epochs'?": good.replace("epochs =", "epoch ="),
        "training.optimiser: 'adm' must be one of 'adam'": good.replace("takes", 'optimiser = "adm"\ntakes'),
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


def test_a_damaged_checkpoint_is_told(digitd: Digitd, tmp_path: Path, spoken_digits: Path) -> None:
    path = run_file(tmp_path, spoken_digits, epochs=1)
    assert digitd("train", path, "--out", tmp_path / "out").returncode == 0
    checkpoint = tmp_path / "out/checkpoints/epoch-00001.keras"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    done = digitd("train", path, "--out", tmp_path / "out", "--resume")
    assert done.returncode == 2
    assert re.search(r"epoch-00001.keras: damaged checkpoint", done.stderr)


def test_the_committed_run_files_are_valid() -> None:
    from digitd.trainer.runfile import read_run

    files = list((ROOT / "trainer/runs").glob("*.toml"))
    assert files
    for file in files:
        assert read_run(file).name == file.stem
