"""A run folder -> models/NAME, whole or not at all."""

import dataclasses
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
from digitd.daemon.bundle import Graph, Manifest, Origin, Thresholds
from digitd.daemon.errors import ExportError
from digitd.daemon.events import Digit
from digitd.daemon.features import LogMel
from digitd.daemon.recogniser import Recogniser
from digitd.daemon.settings import as_table
from digitd.export import convert, evaluation, golden, parity, weights
from digitd.export.card import card
from digitd.export.weights import Weights
from digitd.trainer.calibrate import MISSED_SHARE, operating_points
from digitd.trainer.examples import Ear, hear
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


def release(item: Release, models_dir: Path, *, replace: bool) -> dict[str, Any]:
    """Make `models_dir`/NAME and return its metrics.

    Raises:
        ExportError: the bundle exists already, cannot be written, or the conversion did not hold.
    """
    target = models_dir / item.name
    if target.exists() and not replace:
        raise ExportError(f"{target}: exists already; name another --name, or --replace it")
    with _scratch(models_dir, target) as scratch:
        staged = scratch / "bundle"
        staged.mkdir()
        metrics = _stage(item, staged)
        _put(staged, target, scratch / "replaced")
    return metrics


@contextmanager
def _scratch(models_dir: Path, target: Path) -> Iterator[Path]:
    """A folder beside the bundles that goes again, whatever happens."""
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=models_dir, prefix=f".{target.name}-")
    except OSError as error:
        raise ExportError(f"{target}: cannot be written ({error.strerror}); name a writable --out") from error
    with folder as name:
        yield Path(name)


def _put(staged: Path, target: Path, replaced: Path) -> None:
    """Move the staged bundle to its place; where that fails, the one that was there is put back."""
    try:
        if target.exists():
            target.rename(replaced)
        staged.rename(target)
    except OSError as error:
        if replaced.exists():
            replaced.rename(target)
        raise ExportError(f"{target}: cannot be put there ({error.strerror}); name another --out") from error


def _stage(item: Release, staged: Path) -> dict[str, Any]:
    """Fill the folder `staged`."""
    try:
        model = keras.saving.load_model(item.folder.model)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise ExportError(f"{item.folder.model}: damaged ({error}); train anew") from error
    known = hear(
        item.parts.validation,
        item.folder.labels,
        Ear(item.run.features, item.run.room, item.run.seed),
        1,
        "parity",
    )
    converted = staged / "float32.onnx"
    convert.to_onnx(model, converted)
    difference = parity.check(model, converted, known.features)
    weights.store(converted, staged / GRAPH, item.weights)
    loss = _loss(converted, staged / GRAPH, known.features, known.labels)
    converted.unlink()
    manifest = _manifest(item, staged, model.count_params())
    _write_golden(staged, manifest)
    recogniser = _recogniser(staged, manifest)
    confidences = [
        event.confidence
        for heard in evaluation.listen(recogniser, "entry", item.parts.validation)
        for event in heard.events
        if heard.right and isinstance(event, Digit)
    ]
    manifest = dataclasses.replace(manifest, thresholds=_thresholds(confidences))
    recogniser = _recogniser(staged, manifest)
    metrics = {
        "split": item.parts.kind,
        "parity_max_difference": difference,
        "weights": {"stored_as": item.weights, "bytes": (staged / GRAPH).stat().st_size, **loss},
        "validation": {
            m: evaluation.summary(evaluation.listen(recogniser, m, item.parts.validation)) for m in MISSED_SHARE
        },
        "test": {m: evaluation.summary(evaluation.listen(recogniser, m, item.parts.test)) for m in MISSED_SHARE},
    }
    (staged / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
    (staged / "card.md").write_text(card(manifest, metrics, item.parts), encoding="utf-8")
    return metrics


def _recogniser(staged: Path, manifest: Manifest) -> Recogniser:
    """The staged bundle as the daemon will load it, proofs included."""
    (staged / bundle.MANIFEST).write_text(tomli_w.dumps(as_table(manifest)), encoding="utf-8")
    return Recogniser(bundle.load(str(staged)), "cpu")


def _loss(before: Path, after: Path, features: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, float]:
    """What storing the weights smaller cost, on the validation speakers."""
    wanted, found = parity.posteriors(before, features), parity.posteriors(after, features)
    return {
        "max_posterior_difference": round(float(np.abs(found - wanted).max()), 6),
        "validation_accuracy_float32": round(float((wanted.argmax(1) == labels).mean()), 4),
        "validation_accuracy": round(float((found.argmax(1) == labels).mean()), 4),
    }


def _thresholds(right_confidences: list[float]) -> Thresholds:
    if not right_confidences:
        raise ExportError("no validation word was heard right, so there is no threshold to choose; train longer")
    points = operating_points(right_confidences)
    shares = ", ".join(f"{mode} {share:.1%}" for mode, share in MISSED_SHARE.items())
    rule = f"rejects so many of {len(right_confidences)} right digits of the validation speakers: {shares}"
    return Thresholds(points["always"], points["entry"], rule)


def _manifest(item: Release, staged: Path, parameters: int) -> Manifest:
    parts = (*item.parts.train, *item.parts.validation, *item.parts.test)
    return Manifest(
        schema=1,
        name=item.name,
        kind="isolated",
        labels=item.folder.labels,
        graph=Graph(GRAPH, bundle.sha256_of(staged / GRAPH), convert.INPUT, convert.OUTPUT),
        features=item.run.features,
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
    )


def _write_golden(staged: Path, manifest: Manifest) -> None:
    samples = golden.signal(manifest.features)
    features = LogMel(manifest.features).spectrogram(samples)
    posteriors = parity.posteriors(staged / manifest.graph.file, features[np.newaxis])[0]
    np.savez(staged / bundle.GOLDEN, samples=samples, features=features, posteriors=posteriors)
