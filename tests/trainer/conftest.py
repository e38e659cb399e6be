"""What the tests of sweeps, reports and evaluations share: a small study that was killed and run again."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.conftest import ROOT

STUDY = """name = "small"
title = "A small study"
about = "Twenty recordings of each of four voices."
[base.features]
n_mels = 32
n_frames = 32
[base.training]
epochs = 2
[[base.corpora]]
reader = "fsdd"
folder = "corpus"
[[splits]]
name = "random"
kind = "random"
[[splits]]
name = "strangers"
test_speakers = ["fsdd-slt"]
validation_speakers = ["fsdd-awb"]
[[rows]]
name = "adam"
groups = ["optimisers"]
founder = "99.2 % on its test set"
reaches = 0.992
network = "final64"
[[rows]]
name = "slow"
groups = ["optimisers"]
founder = "overfitting does not happen"
does_not_overfit = true
network = "final64"
training = { optimiser = "sgd", learning_rate = 1e-6 }
"""
PICTURES = f"""
[[pictures]]
name = "gallery"
kind = "gallery"
of = "adam-strangers"
[[pictures]]
name = "matrix"
kind = "evaluation"
of = "adam-random"
part = "all"
[[pictures]]
name = "layers"
kind = "layers"
of = "adam-strangers"
file = "corpus/recordings/7_slt_0.wav"
[[pictures]]
name = "own"
kind = "recording"
of = "adam-strangers"
file = "{ROOT}/tests/data/demo.flac"
"""


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory, spoken_digits: Path) -> Path:
    """The folder of a study that was killed while its second training ran, and then run again."""
    folder = tmp_path_factory.mktemp("study")
    shutil.copytree(spoken_digits, folder / "corpus")
    (folder / "study.toml").write_text(STUDY + PICTURES)
    out = folder / "out"
    command = [sys.executable, "-m", "digitd", "sweep", "study.toml", "--out", "out"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sweep:
        while not (out / "adam-strangers/checkpoints/epoch-00001.keras").exists():
            assert sweep.poll() is None
            time.sleep(0.02)
        sweep.send_signal(signal.SIGKILL)
    finished = (out / "adam-random/result.json").stat().st_mtime_ns
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert (out / "adam-random/result.json").stat().st_mtime_ns == finished
    assert "Epoch 1/2" not in (out / "logs/adam-strangers.log").read_text()  # it went on after its first epoch
    return folder
