"""A bundle as a model of NVIDIA Triton: what stands in the repository, and that a real server takes it up."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import onnx
import pytest
import tomli_w
from google.protobuf import text_format
from tests.daemon.triton import Triton, installed, run_by_python

from digitd import models
from digitd.daemon import bundle
from digitd.daemon.engines.kserve import served_version
from digitd.daemon.errors import ExportError
from digitd.daemon.settings import as_table
from digitd.daemon.spotter import Spotter
from digitd.export.triton import export
from digitd.export.triton_config import CONFIG, GRAPH, Serving

model_config_pb2: Any = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="needs the extra [kserve]")

Digitd = Callable[..., subprocess.CompletedProcess[Any]]


def copied(folder: Path, name: str = "stranger", change: Callable[[dict[str, Any]], None] | None = None) -> Path:
    """A bundle in whose network something stands that does not matter, so that it is another; `change` its manifest."""
    shutil.copytree(models.MODELS_DIR / name, folder)
    network = onnx.load(folder / "model.onnx")
    network.doc_string = folder.name
    onnx.save(network, folder / "model.onnx")
    table = as_table(bundle.load(name).manifest)
    table["graph"]["sha256"] = bundle.sha256_of(folder / "model.onnx")
    if change is not None:
        change(table)
    (folder / bundle.MANIFEST).write_text(tomli_w.dumps(table))
    return folder


def served(folder: Path) -> Any:
    return text_format.Parse((folder / CONFIG).read_text(), model_config_pb2.ModelConfig())


@pytest.mark.parametrize("name", models.names())
def test_the_command_writes_what_a_server_needs(digitd: Digitd, tmp_path: Path, name: str) -> None:
    done = digitd("export", "--target", "triton", name, "--out", tmp_path / "served", "--max-delay-ms", "2.5")
    assert (done.returncode, done.stderr) == (0, "")
    released = bundle.load(name)
    version = served_version(released.manifest)
    assert f"version {version}\n" in done.stdout
    folder = tmp_path / "served" / name
    assert sorted(path.name for path in folder.iterdir()) == [str(version), CONFIG]
    assert bundle.sha256_of(folder / str(version) / GRAPH) == released.manifest.graph.sha256
    config = served(folder)
    assert (config.name, config.backend, config.max_batch_size) == (name, "onnxruntime", 64)
    assert config.dynamic_batching.max_queue_delay_microseconds == 2500
    assert [warm_up.batch_size for warm_up in config.model_warmup] == [1, 64]
    assert config.version_policy.WhichOneof("policy_choice") == "all"


@pytest.mark.parametrize("name", models.names())
def test_inputs_and_outputs_are_those_of_the_network(tmp_path: Path, name: str) -> None:
    config = served(export(bundle.load(name), tmp_path, Serving()).folder)
    graph = onnx.load(models.MODELS_DIR / name / "model.onnx").graph
    for told, wanted in ((config.input, graph.input), (config.output, graph.output)):
        shapes = {
            tensor.name: [dim.dim_value or -1 for dim in tensor.type.tensor_type.shape.dim][1:] for tensor in wanted
        }
        assert {tensor.name: list(tensor.dims) for tensor in told} == shapes


def test_another_release_stands_beside_the_first_and_can_take_its_place(tmp_path: Path) -> None:
    first = export(bundle.load("stranger"), tmp_path, Serving())
    other = bundle.load(str(copied(tmp_path / "other")))
    second = export(other, tmp_path, Serving(max_batch=8))
    names = {str(first.version), str(second.version), CONFIG}
    assert {path.name for path in first.folder.iterdir()} == names
    assert served(first.folder).max_batch_size == 8
    export(other, tmp_path, Serving(max_batch=8))  # again: nothing changes
    assert {path.name for path in first.folder.iterdir()} == names
    export(other, tmp_path, Serving(), replace=True)
    assert {path.name for path in first.folder.iterdir()} == {str(second.version), CONFIG}
    assert {path.name for path in tmp_path.iterdir()} == {"stranger", "other"}


def test_networks_of_another_form_are_not_mixed(tmp_path: Path) -> None:
    export(bundle.load("stranger"), tmp_path, Serving())

    def renamed(table: dict[str, Any]) -> None:
        table["name"] = "stranger"

    other = bundle.load(str(copied(tmp_path / "other", "connected", renamed)))
    with pytest.raises(ExportError, match=r"stranger: holds networks of other inputs or outputs.*--replace"):
        export(other, tmp_path, Serving())
    config = served(export(other, tmp_path, Serving(), replace=True).folder)
    assert {tensor.name: list(tensor.dims) for tensor in config.input}["state"] == [4400]


def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    def astray(table: dict[str, Any]) -> None:
        table["name"] = "../astray"

    hostile = bundle.load(str(copied(tmp_path / "hostile", change=astray)))
    with pytest.raises(ExportError, match="need names of letters"):
        export(hostile, tmp_path / "served", Serving())
    assert [path.name for path in tmp_path.iterdir()] == ["hostile"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["stranger"], "--target triton takes --out DIR"),
        (["stranger", "--out", "x", "--name", "y"], "the name is the bundle's"),
        (["strangr", "--out", "x"], "no bundle 'strangr'"),
        (["stranger", "--out", "x", "--max-batch", "0"], "max_batch: 0 is out of range"),
        (["stranger", "--out", "/proc/nowhere"], "/proc/nowhere/stranger: cannot be written"),
    ],
)
def test_bad_input_is_one_line(digitd: Digitd, tmp_path: Path, arguments: list[str], told: str) -> None:
    done = digitd("export", "--target", "triton", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("digitd: error: ")
    assert done.stderr.count("\n") == 1
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_run_still_needs_a_name(digitd: Digitd, tmp_path: Path) -> None:
    done = digitd("export", tmp_path)
    assert done.returncode == 2
    assert done.stderr == "digitd: error: --name '' must be letters, digits, '.', '_' and '-'\n"


@pytest.mark.triton
@pytest.mark.slow
def test_a_running_server_takes_up_a_release_and_goes_on_answering_for_the_last(tmp_path: Path) -> None:
    first, other = bundle.load("stranger"), bundle.load(str(copied(tmp_path / "other")))
    repository = tmp_path / "served"
    kept = export(first, repository, Serving())
    run_by_python(repository)
    with Triton(installed(), repository, tmp_path / "log") as server:
        old = Spotter(first, f"kserve:{server.http}")
        added = export(other, tmp_path / "beside", Serving())
        run_by_python(tmp_path / "beside")
        (added.folder / str(added.version)).rename(kept.folder / str(added.version))
        server.until_version(added.version, "stranger")
        new = Spotter(other, f"kserve:{server.grpc}")
        golden = first.golden.features[None]
        for spotter in (old, new):
            assert spotter.step(golden, spotter.silence())[0].shape == (1, *first.golden.posteriors.shape)
        with urlopen(f"{server.http}/v2/models/stranger/stats") as answer:  # noqa: S310 - loopback
            versions = {model["version"]: model for model in json.load(answer)["model_stats"]}
    assert versions.keys() == {str(kept.version), str(added.version)}
    assert all(model["inference_count"] >= 2 for model in versions.values())
