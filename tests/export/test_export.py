"""`digitd export`: a bundle that the daemon runs, or nothing at all."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.trainer.test_train import run_file

from digitd.daemon import bundle
from digitd.daemon.errors import ExportError
from digitd.daemon.recogniser import Recogniser
from digitd.trainer.feature_cache import FeatureCache
from digitd.trainer.limits import Limits
from digitd.trainer.run_folder import RunFolder
from digitd.trainer.runfile import read_run, recordings
from digitd.trainer.split import split

pytestmark = pytest.mark.train
Digitd = Callable[..., subprocess.CompletedProcess[Any]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, spoken_digits: Path) -> Path:
    """A run folder: two synthetic voices learned, a third and fourth apart."""
    folder = tmp_path_factory.mktemp("trained")
    run = read_run(run_file(folder, spoken_digits, epochs=6))
    parts = split(recordings(run, folder), run.split)
    from digitd.trainer import devices
    from digitd.trainer.fit import train

    train(
        run,
        parts,
        RunFolder.create(folder / "run", run, parts),
        FeatureCache(folder / "cache"),
        devices.choose("float32"),
    )
    return folder / "run"


@pytest.mark.parametrize("weights", ["float32", "float16", "int8"])
def test_a_released_bundle_runs(
    digitd: Digitd, trained: Path, tmp_path: Path, spoken_digits: Path, weights: str
) -> None:
    done = digitd("export", trained, "--name", "small", "--out", tmp_path, "--weights", weights)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small"]
    released = tmp_path / "small"
    assert sorted(path.name for path in released.iterdir()) == [
        "card.md",
        "golden.npz",
        "manifest.toml",
        "metrics.json",
        "model.onnx",
    ]
    metrics = json.loads((released / "metrics.json").read_text())
    assert metrics["parity_max_difference"] <= 1e-5
    assert metrics["weights"]["max_posterior_difference"] <= (0 if weights == "float32" else 0.1)
    assert metrics["test"]["always"]["segmented"]["share"] == 1.0
    assert f"Stored as {weights}" in (released / "card.md").read_text()
    size = {"float32": 25.8e6, "float16": 12.9e6, "int8": 6.5e6}[weights]
    assert (released / "model.onnx").stat().st_size == pytest.approx(size, rel=0.01)
    recogniser = Recogniser(bundle.load(str(released)), "cpu")
    assert recogniser.bundle.manifest.labels == tuple("0123456789")
    known = spoken_digits / "recordings/7_rms_0.wav"
    heard = digitd("run", "--model", released, "--mode", "entry", "--source", known)
    assert heard.stdout == "7\n"


def test_a_bundle_that_exists_is_kept_unless_it_is_to_be_replaced(
    digitd: Digitd, trained: Path, tmp_path: Path
) -> None:
    (tmp_path / "small").mkdir()
    done = digitd("export", trained, "--name", "small", "--out", tmp_path)
    assert (done.returncode, "exists already" in done.stderr) == (2, True)
    assert digitd("export", trained, "--name", "small", "--out", tmp_path, "--replace").returncode == 0
    assert bundle.load(str(tmp_path / "small")).manifest.name == "small"


def test_an_unwritable_output_folder_is_told(digitd: Digitd, trained: Path) -> None:
    done = digitd("export", trained, "--name", "small", "--out", "/proc/models")
    assert done.returncode == 2
    assert "/proc/models/small: cannot be written" in done.stderr


def test_what_is_no_run_folder_is_told(digitd: Digitd, tmp_path: Path) -> None:
    done = digitd("export", tmp_path, "--name", "small")
    assert (done.returncode, "no run folder" in done.stderr) == (2, True)


@pytest.mark.parametrize("name", ["labels.json", "split.tsv", "model.keras"])
def test_a_damaged_run_folder_is_told(digitd: Digitd, trained: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "run" / name).write_text("part\tfile\nnone\n")
    done = digitd("export", tmp_path / "run", "--name", "small", "--out", tmp_path / "models")
    assert done.returncode == 2
    assert f"{name}: " in done.stderr
    assert "damaged" in done.stderr


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_a_name_that_is_no_folder_is_refused(digitd: Digitd, trained: Path, tmp_path: Path, name: str) -> None:
    done = digitd("export", trained, "--name", name, "--out", tmp_path / "models", "--replace")
    assert (done.returncode, "must be letters, digits" in done.stderr) == (2, True)


def test_a_network_that_does_not_survive_conversion_leaves_nothing(trained: Path, tmp_path: Path) -> None:
    import keras

    from digitd.export.release import release
    from digitd.export.staging import Release

    folder = RunFolder.open(trained)

    @keras.saving.register_keras_serializable()
    class Amplified(keras.layers.Layer):  # type: ignore[misc]
        """Makes the last bits of its input, which no conversion keeps, decide."""

        def call(self, x: Any) -> Any:
            return keras.ops.softmax(keras.ops.sin(x * 1e9))

    model = keras.saving.load_model(folder.model)
    broken = RunFolder(tmp_path / "broken")
    broken.path.mkdir()
    for name in ("run.toml", "labels.json", "split.tsv", "result.json"):
        (broken.path / name).write_bytes((trained / name).read_bytes())
    keras.Model(model.input, Amplified()(model.output)).save(broken.model)
    item = Release("broken", broken, broken.run, broken.split, "int8", Limits())
    with pytest.raises(ExportError, match="the converted network differs from Keras by"):
        release(item, tmp_path / "models", replace=False)
    assert list((tmp_path / "models").iterdir()) == []


def test_the_golden_vector_is_what_the_daemon_answers(trained: Path, tmp_path: Path, digitd: Digitd) -> None:
    assert digitd("export", trained, "--name", "small", "--out", tmp_path, "--weights", "int8").returncode == 0
    released = Recogniser(bundle.load(str(tmp_path / "small")), "cpu")
    golden = released.bundle.golden
    np.testing.assert_allclose(released.posteriors(golden.features[np.newaxis])[0], golden.posteriors, atol=1e-6)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_a_run_in_mixed_precision_is_kept_in_float32(
    digitd: Digitd, tmp_path: Path, spoken_digits: Path, precision: str
) -> None:
    import keras

    from digitd.export import convert, parity

    path = run_file(tmp_path, spoken_digits, epochs=1)
    path.write_text(path.read_text().replace("epochs = 1", f'epochs = 1\nprecision = "{precision}"'))
    done = digitd("train", path, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run/result.json").read_text())["precision"] == precision
    model = keras.saving.load_model(tmp_path / "run/model.keras")
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    convert.to_onnx(model, tmp_path / "x.onnx")
    assert parity.check(model, tmp_path / "x.onnx", np.random.default_rng(0).random((8, 64, 64), np.float32)) < 1e-5


def test_smaller_weights_unpack_to_nearly_the_same(trained: Path, tmp_path: Path) -> None:
    import keras

    from digitd.export import convert, parity, weights

    model = keras.saving.load_model(trained / "model.keras")
    convert.to_onnx(model, tmp_path / "whole.onnx")
    features = np.random.default_rng(0).random((16, 64, 64), np.float32)
    wanted = parity.posteriors(tmp_path / "whole.onnx", features)
    for kind, tolerance in (("float32", 0.0), ("float16", 1e-3), ("int8", 0.05)):
        weights.store(tmp_path / "whole.onnx", tmp_path / "stored.onnx", kind)  # type: ignore[arg-type]
        found = parity.posteriors(tmp_path / "stored.onnx", features)
        assert np.abs(found - wanted).max() <= tolerance, kind
