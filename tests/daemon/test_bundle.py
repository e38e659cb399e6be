"""A bundle is refused unless it is whole and answers as it did when it was released."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from digitd import models
from digitd.daemon import bundle
from digitd.daemon.errors import BundleError, ProviderError
from digitd.daemon.listener import open_network
from digitd.daemon.recogniser import Recogniser


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The default bundle, to be damaged."""
    return Path(shutil.copytree(models.MODELS_DIR / "study64", tmp_path / "copy"))


def load(folder: Path) -> Recogniser:
    return Recogniser(bundle.load(str(folder)), "cpu")


def signed(folder: Path) -> None:
    """Make the manifest's hash that of the network that is there."""
    manifest = folder / "manifest.toml"
    text = re.sub(r'sha256 = "\w+"', f'sha256 = "{bundle.sha256_of(folder / "model.onnx")}"', manifest.read_text())
    manifest.write_text(text)


def test_all_released_bundles_prove_themselves() -> None:
    assert models.DEFAULT_MODEL in models.names()
    for name in models.names():
        assert open_network(bundle.load(name), "cpu").provider == "cpu"


def test_study64_is_small_enough() -> None:
    assert (models.MODELS_DIR / "study64/model.onnx").stat().st_size < 14_000_000
    assert bundle.load("study64").manifest.origin.parameters == 6_446_986


def test_batch_and_single_answers_are_the_same(recogniser: Recogniser) -> None:
    features = np.random.default_rng(0).random((5, *recogniser.spec.shape), np.float32)
    alone = np.concatenate([recogniser.posteriors(one[np.newaxis]) for one in features])
    np.testing.assert_allclose(recogniser.posteriors(features), alone, atol=1e-5)
    np.testing.assert_allclose(alone.sum(axis=1), 1, atol=1e-5)


def test_an_unknown_name_lists_those_that_exist() -> None:
    with pytest.raises(BundleError, match=r"no bundle 'study65'; released are .*study64"):
        bundle.load("study65")


def test_a_wrong_hash_is_refused(copy: Path) -> None:
    with (copy / "model.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(BundleError, match="sha256"):
        bundle.load(str(copy))


@pytest.mark.parametrize("key", ["kind", "sha256", "always", "n_mels", "labels"])
def test_a_missing_or_misspelt_manifest_key_is_named(copy: Path, key: str) -> None:
    manifest = copy / "manifest.toml"
    manifest.write_text(re.sub(rf"^{key} = ", f"{key}x = ", manifest.read_text(), flags=re.MULTILINE))
    with pytest.raises(BundleError, match=rf"{key}x: unknown key; did you mean '{key}'"):
        bundle.load(str(copy))


def test_a_missing_manifest_key_is_named(copy: Path) -> None:
    manifest = copy / "manifest.toml"
    manifest.write_text(re.sub(r"^kind = .*$", "", manifest.read_text(), flags=re.MULTILINE))
    with pytest.raises(BundleError, match="kind: missing key"):
        bundle.load(str(copy))


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle"):
        bundle.load(str(tmp_path))


@pytest.mark.parametrize("name", ["model.onnx", "golden.npz"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleError, match=re.escape(name)):
        bundle.load(str(copy))


def test_a_truncated_golden_vector_is_refused(copy: Path) -> None:
    content = (copy / "golden.npz").read_bytes()
    (copy / "golden.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(BundleError, match="no golden vector"):
        bundle.load(str(copy))


@pytest.mark.parametrize(
    "damage", [{"features": np.zeros(3)}, {"posteriors": np.array(["a"])}, {"samples": np.zeros(())}]
)
def test_a_golden_vector_of_other_arrays_is_refused(copy: Path, damage: dict[str, NDArray[Any]]) -> None:
    with np.load(copy / "golden.npz") as arrays:
        whole = dict(arrays)
    np.savez(copy / "golden.npz", **(whole | damage))
    with pytest.raises(BundleError, match="no golden vector"):
        bundle.load(str(copy))


@pytest.mark.parametrize(
    ("line", "damaged", "problem"),
    [
        (r"^always = .*$", "always = 7.0", "thresholds.always: 7.0 is out of range"),
        (r"^always = .*$", "always = nan", "thresholds.always: nan is out of range"),
        (r'"1",', '"0",', "each once"),
        (r'"1",', r'"1\\n",', "must be printable"),
    ],
)
def test_manifest_values_that_cannot_be_are_refused(copy: Path, line: str, damaged: str, problem: str) -> None:
    manifest = copy / "manifest.toml"
    manifest.write_text(re.sub(line, damaged, manifest.read_text(), count=1, flags=re.MULTILINE))
    with pytest.raises(BundleError, match=problem):
        bundle.load(str(copy))


def test_a_truncated_network_is_refused_even_with_its_hash(copy: Path) -> None:
    content = (copy / "model.onnx").read_bytes()
    (copy / "model.onnx").write_bytes(content[: len(content) // 2])
    signed(copy)
    with pytest.raises(BundleError, match="ONNX Runtime cannot read it"):
        load(copy)


def test_another_network_is_refused_even_with_its_hash(copy: Path) -> None:
    network = onnx.load(copy / "model.onnx")
    scale = next(t for t in network.graph.initializer if t.name.endswith("/scale"))
    scale.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(scale) * 1.3, scale.name))
    onnx.save(network, copy / "model.onnx")
    signed(copy)
    with pytest.raises(BundleError, match="posteriors differ from the golden vector"):
        load(copy)


def test_other_features_are_refused(copy: Path) -> None:
    manifest = copy / "manifest.toml"
    manifest.write_text(manifest.read_text().replace("fmax_hz = 4000.0", "fmax_hz = 3900.0"))
    with pytest.raises(BundleError, match="features differ from the golden vector"):
        load(copy)


def test_cuda_is_refused_where_it_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ProviderError, match="'cuda' was asked for but ONNX Runtime runs on the CPU"):
        Recogniser(bundle.load("study64"), "cuda")


@pytest.mark.gpu
def test_cuda_answers_as_the_cpu(recogniser: Recogniser) -> None:
    cuda = Recogniser(bundle.load("study64"), "cuda")
    features = np.random.default_rng(0).random((64, *recogniser.spec.shape), np.float32)
    np.testing.assert_allclose(cuda.posteriors(features), recogniser.posteriors(features), atol=1e-2)
