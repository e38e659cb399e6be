"""What both kinds of bundles are released with."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx
import tomli_w
from numpy.typing import NDArray

import digitd
from digitd.daemon import bundle
from digitd.daemon.audio import Samples
from digitd.daemon.bundle import Graph, Manifest, Origin, Thresholds
from digitd.daemon.errors import ExportError
from digitd.daemon.listener import Network, open_network
from digitd.daemon.settings import as_table
from digitd.export.weights import Weights
from digitd.trainer.limits import Limits
from digitd.trainer.networks import stream
from digitd.trainer.run_folder import RunFolder
from digitd.trainer.runfile import Run
from digitd.trainer.split import Split

GRAPH = "model.onnx"


@dataclass(frozen=True)
class Release:
    """What is released, and from what."""

    name: str
    folder: RunFolder
    run: Run
    parts: Split
    weights: Weights
    limits: Limits
    others: tuple[RunFolder, ...] = ()
    """Runs whose networks, which hear a stream, are joined to it."""


def trained(item: Release) -> Any:
    """The Keras model; of several runs one that joins theirs.

    Raises:
        ExportError: one is damaged, or they do not belong together.
    """
    if not item.others:
        return _model(item.folder)
    for other in item.others:
        _check_alike(item.folder, other)
    return stream.together([_model(folder) for folder in (item.folder, *item.others)])


def _model(folder: RunFolder) -> Any:
    try:
        return keras.saving.load_model(folder.model)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise ExportError(f"{folder.model}: damaged ({error}); train anew") from error


def _check_alike(folder: RunFolder, other: RunFolder) -> None:
    """Raises ExportError where the networks of two runs do not hear, tell or leave out the same."""
    one, another = folder.run.stream, other.run.stream
    if one is None or another is None:
        raise ExportError(f"{other.path}: only networks that hear a stream are joined")
    told = {
        "labels": folder.labels == other.labels,
        "features": one.features == another.features,
        "decoding": (one.kind, one.decoding) == (another.kind, another.decoding),
        "timing": one.timing == another.timing,
        "split": folder.run.split == other.run.split,
    }
    if unlike := [name for name, same in told.items() if not same]:
        raise ExportError(f"{other.path}: has another {' and '.join(unlike)} than {folder.path}; they cannot be joined")


def manifest(item: Release, graph: Graph, parameters: int, **spec: Any) -> Manifest:
    """Of thresholds that are not yet chosen; `spec` is `features`, or `stream` with `decoding` and `kind`."""
    parts = (*item.parts.train, *item.parts.validation, *item.parts.test)
    return Manifest(
        schema=1,
        name=item.name,
        labels=item.folder.labels,
        graph=graph,
        thresholds=Thresholds(0.0, 0.0, "not yet chosen"),
        origin=Origin(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            parameters=parameters,
            weights=item.weights,
            corpora=tuple(sorted({recording.corpus for recording in parts})),
            digitd=digitd.__version__,
            keras=keras.__version__,
            tensorflow=tf.__version__,
            tf2onnx=tf2onnx.__version__,
            onnx=onnx.__version__,
            onnxruntime=onnxruntime.__version__,
        ),
        **{"kind": "isolated"} | spec,
    )


def put_manifest(staged: Path, found: Manifest) -> None:
    """Write manifest.toml."""
    (staged / bundle.MANIFEST).write_text(tomli_w.dumps(as_table(found)), encoding="utf-8")


def put_golden(staged: Path, samples: Samples, features: NDArray[np.float32], posteriors: NDArray[np.float32]) -> None:
    """Write the golden vector."""
    np.savez(staged / bundle.GOLDEN, samples=samples, features=features, posteriors=posteriors)


def put_reports(staged: Path, metrics: dict[str, Any], card: str) -> None:
    """Write metrics.json and card.md."""
    (staged / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    (staged / "card.md").write_text(card, encoding="utf-8")


def network(staged: Path, found: Manifest) -> Network:
    """The staged bundle as the daemon will load it, proofs included."""
    put_manifest(staged, found)
    return open_network(bundle.load(str(staged)), "cpu")
