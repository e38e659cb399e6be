"""A trained network that hears utterances -> the files of its bundle."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitd.daemon import bundle
from digitd.daemon.bundle import Graph, Thresholds
from digitd.daemon.errors import ExportError
from digitd.daemon.features import LogMel
from digitd.export import convert, golden, parity, staging, weights
from digitd.export.card import card
from digitd.export.staging import GRAPH, Release
from digitd.trainer.calibrate import MISSED_SHARE, operating_points
from digitd.trainer.compose import isolated
from digitd.trainer.examples import Ear, hear
from digitd.trainer.field_test import STREAM_SEED, FieldTest, summary


def stage(item: Release, staged: Path) -> dict[str, Any]:
    """Fill the folder `staged` and return its metrics.

    Raises:
        ExportError: the network is damaged, the conversion did not hold, or no threshold can be chosen.
    """
    model, spec = staging.trained(item), item.run.features
    ear = Ear(spec, item.run.room, item.run.seed)
    known = hear(item.parts.validation, item.folder.labels, ear, 1, "parity")
    converted = staged / "float32.onnx"
    convert.to_onnx(model, converted)
    difference = parity.check(model, converted, known.features)
    weights.store(converted, staged / GRAPH, item.weights)
    loss = _loss(converted, staged / GRAPH, known.features, known.labels)
    converted.unlink()
    graph = Graph(GRAPH, bundle.sha256_of(staged / GRAPH), convert.INPUT, convert.OUTPUT)
    manifest = staging.manifest(item, graph, model.count_params(), features=spec)
    samples = golden.signal(spec.clip_samples, spec.sample_rate_hz)
    features = LogMel(spec).spectrogram(samples)
    staging.put_golden(staged, samples, features, parity.posteriors(staged / GRAPH, features[np.newaxis])[0])
    streams = {
        part: isolated(getattr(item.parts, part), spec.sample_rate_hz, STREAM_SEED) for part in ("validation", "test")
    }
    test = FieldTest(staging.network(staged, manifest))
    heard = test.heard(streams["validation"], "always")
    confidences = [digit.confidence for word in heard if word.right for digit in word.digits]
    manifest = dataclasses.replace(manifest, thresholds=_thresholds(confidences))
    test = FieldTest(staging.network(staged, manifest))
    metrics = {
        "split": item.parts.kind,
        "parity_max_difference": difference,
        "weights": {"stored_as": item.weights, "bytes": (staged / GRAPH).stat().st_size, **loss},
        **{
            part: {mode: summary(test.heard(stream, mode)) for mode in MISSED_SHARE} for part, stream in streams.items()
        },
    }
    staging.put_reports(staged, metrics, card(manifest, metrics, item.parts))
    return metrics


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
