"""A network that hears a stream, from voices to a bundle that the daemon runs; killed and resumed on the way."""

import json
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

from digitd.daemon import bundle
from digitd.daemon.spotter import Spotter

pytestmark = pytest.mark.train
Digitd = Callable[..., subprocess.CompletedProcess[Any]]

TRAIN = [sys.executable, "-m", "digitd", "train"]
VOICES = """
espeak_accents = []
espeak_variants = []

[[words]]
texts = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
n_voices_per_text = 12

[[strings]]
n_texts = 24

[[words]]
texts = ["tree", "hello", "music", "stop"]
n_voices_per_text = 12

[[words]]
texts = ["open the door please", "how are you today"]
n_voices_per_text = 12
kind = "speech"
"""

RUN = """
name = "small"
network = "tempo_small"
seed = 3

[training]
epochs = 3
batch_size = 8
optimiser = "adamw"

[stream]
kind = "connected"
scenes_per_round = 80
epochs_per_round = 2
scenes_to_validate = 16
warm_up_steps = 5
phone_weight = 0.3

[stream.scenes]
strings = 0.4
doubles = 0.0
glued = 0.1

[split]
validation_speakers = ["synthetic-flite-awb"]
test_speakers = ["synthetic-flite-slt"]

[[corpora]]
reader = "synthetic"
folder = "voices"
kinds = ["word", "string", "speech"]
"""


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stream")
    (folder / "voices").mkdir()
    (folder / "voices/voices.toml").write_text(VOICES)
    (folder / "small.toml").write_text(RUN)
    return folder / "small.toml"


@pytest.fixture(scope="module")
def trained(run_file: Path) -> Path:
    """A finished run folder."""
    folder = run_file.parent / "run"
    subprocess.run(
        [sys.executable, "-m", "digitd", "train", run_file, "--out", folder], check=True, capture_output=True
    )
    return folder


def weights(folder: Path) -> list[np.ndarray[Any, Any]]:
    import keras

    found: list[np.ndarray[Any, Any]] = keras.saving.load_model(folder / "model.keras").get_weights()
    return found


def test_a_run_that_is_killed_goes_on_to_the_same_result(run_file: Path, trained: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "digitd", "train", str(run_file), "--out", str(tmp_path / "run")]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as going:
        while going.poll() is None and not list((tmp_path / "run/checkpoints").glob("epoch-*.keras")):
            time.sleep(0.1)
        children = [int(pid) for pid in Path(f"/proc/{going.pid}/task/{going.pid}/children").read_text().split()]
        going.kill()
    assert children  # those that make scenes
    deadline_s = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in children):
        assert time.monotonic() < deadline_s, f"of {children} some outlive their parent"
        time.sleep(0.05)
    subprocess.run([*command, "--resume"], check=True, capture_output=True)
    for ours, theirs in zip(weights(tmp_path / "run"), weights(trained), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_released_bundle_hears_a_stream(digitd: Digitd, trained: Path, tmp_path: Path) -> None:
    done = digitd("export", trained, "--name", "small", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    released = tmp_path / "small"
    assert {path.name for path in released.iterdir()} == {
        "card.md",
        "card.png",
        "golden.npz",
        "manifest.toml",
        "metrics.json",
        "model.onnx",
    }
    metrics = json.loads((released / "metrics.json").read_text())
    assert metrics["parity_max_difference"] <= 1e-5
    assert 0.2 <= metrics["temperature"] <= 5
    assert [row["threshold"] for row in metrics["test"]["curve"]] == sorted(
        row["threshold"] for row in metrics["test"]["curve"]
    )
    spotter = Spotter(bundle.load(str(released)), "cpu")
    golden = spotter.bundle.golden
    posteriors, _ = spotter.step(golden.features[np.newaxis], spotter.silence())
    np.testing.assert_allclose(posteriors[0], golden.posteriors, atol=1e-4)
    thresholds = spotter.bundle.manifest.thresholds
    assert 0 < thresholds.entry <= thresholds.always <= 1
    assert spotter.bundle.manifest.kind == "connected"
    strings = metrics["validation"]["entry"]["strings"]
    assert strings["recorded"]["digits"] > 0
    assert {len(found["lengths"]) for name, found in strings.items() if name == "put together"} == {12}
    card = (released / "card.md").read_text()
    assert "| validation | entry | recorded |" in card
    assert "A **connected** bundle" in card
    heard = digitd("run", "--model", released, "--source", next((trained.parent / "voices/7").glob("*.flac")))
    assert heard.returncode == 0, heard.stderr


def test_two_runs_become_one_bundle(digitd: Digitd, trained: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    shutil.copytree(trained, twin)
    done = digitd("export", trained, "--with", twin, "--name", "both", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    alone = digitd("export", trained, "--name", "alone", "--out", tmp_path)
    assert alone.returncode == 0, alone.stderr
    both, one = (Spotter(bundle.load(str(tmp_path / name)), "cpu") for name in ("both", "alone"))
    frames = one.bundle.golden.features[np.newaxis]
    found, wanted = both.step(frames, both.silence())[0], one.step(frames, one.silence())[0]
    np.testing.assert_allclose(found, wanted, atol=1e-3)  # the mean of twins; their last layer is stored in one
    assert both.spec.state_size == 2 * one.spec.state_size


def test_runs_that_do_not_belong_together_are_not_joined(digitd: Digitd, trained: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(trained, other)
    text = (other / "run.toml").read_text()
    (other / "run.toml").write_text(text.replace("n_mels = 40", "n_mels = 32"))
    done = digitd("export", trained, "--with", other, "--name", "both", "--out", tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "has another features than" in done.stderr
    assert not (tmp_path / "both").exists()


def test_a_bundle_is_evaluated_through_the_pipeline(
    digitd: Digitd, run_file: Path, trained: Path, tmp_path: Path
) -> None:
    assert digitd("export", trained, "--name", "small", "--out", tmp_path).returncode == 0
    done = digitd("evaluate", tmp_path / "small", "--on", run_file, "--out", tmp_path / "found")
    assert done.returncode == 0, done.stderr
    assert "| test | entry |" in done.stdout
    assert {path.name for path in (tmp_path / "found").iterdir()} == {
        "evaluation.md",
        "evaluation.png",
        "metrics.json",
    }


def test_bundles_that_left_others_out_are_read_together(digitd: Digitd, trained: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        assert digitd("export", trained, "--name", name, "--out", tmp_path).returncode == 0
    done = digitd("evaluate", tmp_path / "one", tmp_path / "other", "--out", tmp_path / "found")
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "one/metrics.json").read_text())["test"]["always"]
    n_words = metrics["words"]
    right = metrics["right"]["right"]
    assert f"| all, {2 * n_words} words | {100 * right / n_words:.1f} % " in done.stdout
    assert f"| synthetic-flite, {2 * n_words} words |" in done.stdout
    assert (tmp_path / "found/left-out.md").read_text() in done.stdout
    refused = digitd("evaluate", tmp_path / "one", "study64")
    assert (refused.returncode, "release the bundle again" in refused.stderr) == (2, True)
    refused = digitd("evaluate", tmp_path / "one", "stranger", "--on", "x.toml")
    assert (refused.returncode, "several bundles are not heard anew" in refused.stderr) == (2, True)


def test_networks_that_hear_a_stream_are_swept(digitd: Digitd, run_file: Path, tmp_path: Path) -> None:
    run = (
        run_file.read_text()
        .replace("epochs = 3", "epochs = 1")
        .replace('folder = "voices"', f'folder = "{run_file.parent / "voices"}"')
    )
    tables = tomllib.loads(run)
    split = {"name": "strangers", **tables.pop("split")}
    rows = [{"name": name, "groups": ["networks"], "network": name} for name in ("tempo_small", "separable")]
    del tables["name"], tables["network"]
    study = {"name": "networks", "title": "Networks", "base": tables, "splits": [split], "rows": rows}
    (tmp_path / "study.toml").write_text(tomli_w.dumps(study))
    done = digitd("sweep", tmp_path / "study.toml", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    report = (tmp_path / "out/report.md").read_text()
    assert "2 of 2 trainings finished" in report
    assert "s for scenes" in report


def test_a_precision_that_it_is_not_trained_in_is_refused(digitd: Digitd, run_file: Path, tmp_path: Path) -> None:
    other = run_file.parent / "other.toml"
    other.write_text(run_file.read_text().replace("epochs = 3", 'epochs = 3\nprecision = "mixed_float16"'))
    done = digitd("train", other, "--out", tmp_path / "run")
    assert (done.returncode, "is trained in float32" in done.stderr) == (2, True), done.stderr


def test_a_damaged_network_is_told(digitd: Digitd, trained: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(trained, tmp_path / "copy"))
    (copy / "model.keras").write_bytes(b"nothing")
    done = digitd("export", copy, "--name", "small", "--out", tmp_path / "models")
    assert (done.returncode, "damaged" in done.stderr) == (2, True)
    assert list((tmp_path / "models").iterdir()) == []


def test_the_run_folder_of_a_stream_is_not_evaluated_itself(digitd: Digitd, trained: Path) -> None:
    done = digitd("evaluate", trained)
    assert (done.returncode, "`digitd export` it" in done.stderr) == (2, True)
