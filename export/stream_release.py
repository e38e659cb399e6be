"""A trained network that hears a stream -> the files of its bundle."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from digitd.daemon import bundle
from digitd.daemon.bundle import Graph, Manifest, Thresholds
from digitd.daemon.mode import Mode
from digitd.daemon.spotter import Spotter
from digitd.daemon.stream_decoder import Kind
from digitd.daemon.stream_features import MelStream
from digitd.export import golden, staging, stream_card, stream_convert, weights
from digitd.export.convert import OUTPUT
from digitd.export.staging import GRAPH, Release
from digitd.trainer import calibrate, field_report, plots
from digitd.trainer.field_test import Point
from digitd.trainer.limits import Limits
from digitd.trainer.part_test import PartTest
from digitd.trainer.scene_pool import Scenes
from digitd.trainer.stream_run import StreamTraining
from digitd.trainer.stream_train import VALIDATION_ROUND, studio

GOLDEN_S = 2.0
SURE_DIVISOR = 3
"""A digit that needs nothing after it comes from a threshold that by itself would give so much fewer false digits."""
NOTHING_IS_SURE = 1.0
RULE_GAIN = 4
"""A threshold that by itself gives so many times too many false digits is not tried with the rule for digits inside
other speech: of 88 false ones, three in ten have a pause after them."""
HARDLY_WORSE = 0.005
"""Of the digits: two or three of the 489 of the validation part."""
CALIBRATED_FROM = 0.2
"""Digits that reach this mean posterior tell how posteriors become confidences: fewer would not show the wrong ones."""


def stage(item: Release, staged: Path) -> dict[str, Any]:
    """Fill the folder `staged` and return its metrics.

    Raises:
        ExportError: the network is damaged, or the conversion did not hold.
    """
    config = item.run.stream
    assert config is not None  # noqa: S101 - `release` chose
    scenes = _scenes(item, config)
    model = staging.trained(item)
    divisor = stream_convert.temperature(model, scenes, len(item.folder.labels))
    model = stream_convert.calibrated(model, divisor)
    converted = staged / "float32.onnx"
    state_size = stream_convert.to_onnx(model, converted)
    spec = dataclasses.replace(config.features, state_size=state_size)
    difference = stream_convert.check(model, converted, scenes, state_size, spec.frames_per_output)
    weights.store(converted, staged / GRAPH, item.weights)
    stored: dict[str, Any] = {"stored_as": item.weights, "bytes": (staged / GRAPH).stat().st_size}
    stored |= _loss(converted, staged / GRAPH, scenes, spec)
    converted.unlink()
    graph = Graph(GRAPH, bundle.sha256_of(staged / GRAPH), stream_convert.INPUT, OUTPUT)
    manifest = staging.manifest(
        item, graph, model.count_params(), stream=spec, decoding=config.decoding, kind=config.kind
    )
    samples = golden.signal(round(GOLDEN_S * spec.sample_rate_hz), spec.sample_rate_hz)
    frames = MelStream(spec).push(samples)
    frames = frames[: len(frames) // spec.frames_per_output * spec.frames_per_output]
    samples = samples[: len(frames) * spec.hop_samples]
    answers = stream_convert.stepped(staged / GRAPH, frames, state_size, spec.frames_per_output)
    staging.put_golden(staged, samples, frames, answers)
    spotter = _spotter(staged, manifest)
    seen = [r for r in item.parts.train if r.kind == "noise"]
    parts = {part: getattr(item.parts, part) for part in ("validation", "test")}
    tests = {name: PartTest(members, item.folder.labels, spec.sample_rate_hz, seen) for name, members in parts.items()}
    curves = {name: test.curve(spotter) for name, test in tests.items()}
    manifest = dataclasses.replace(manifest, thresholds=thresholds(curves["validation"], item.limits, config.kind))
    if manifest.kind == "connected":
        manifest = _with_rule(staged, manifest, curves["validation"], tests["validation"], item.limits)
    heard = tests["validation"].reliability(_spotter(staged, manifest), CALIBRATED_FROM)
    manifest = dataclasses.replace(manifest, calibration=calibrate.line(heard.confidences, heard.right))
    spotter = _spotter(staged, manifest)
    metrics = {
        "split": item.parts.kind,
        "temperature": round(divisor, 3),
        "parity_max_difference": difference,
        "weights": stored,
        **{name: test.measured(spotter, curves[name]) for name, test in tests.items()},
    }
    plots.save(field_report.picture(metrics), staged / stream_card.PICTURE)
    staging.put_reports(staged, metrics, stream_card.card(manifest, metrics, item.parts))
    return metrics


def thresholds(points: list[Point], limits: Limits, kind: Kind) -> Thresholds:
    """Of each mode the threshold with most digits right of those that hold its limits; the highest where none does.

    Of a connected bundle's in mode `entry` the lowest one that is hardly worse: digits of strings are not said as
    clearly as the single ones that were counted, and would be lost.
    """
    entry_per_hour = float("inf")  # where digits are expected, nobody talks of other things
    rules: dict[Mode, tuple[float, float]] = {
        "always": (limits.max_words, limits.max_false_per_hour),
        "entry": (limits.max_words_entry, entry_per_hour),
    }
    chosen = {
        mode: max((p for p in points if p.holds(*rule)), key=lambda p: p.right, default=points[-1]).threshold
        for mode, rule in rules.items()
    }
    lowest = ", and the lowest that is hardly worse" if kind == "connected" else ""
    if kind == "connected":
        best = max((p.right for p in points if p.holds(*rules["entry"])), default=1.0)
        as_good = (p.threshold for p in points if p.holds(*rules["entry"]) and p.right >= best - HARDLY_WORSE)
        chosen["entry"] = min(as_good, default=chosen["entry"])
    chosen["entry"] = min(chosen["entry"], chosen["always"])
    return Thresholds(
        **chosen,
        calibration=f"of {len(points)} those with most digits right that give on the validation part: always at most "
        f"{limits.max_false_per_hour:g} false digits an hour of running speech and of noise and a digit on at most "
        f"{limits.max_words:.1%} of other words; entry on at most {limits.max_words_entry:.1%}{lowest}",
    )


def _with_rule(staged: Path, manifest: Manifest, points: list[Point], test: PartTest, limits: Limits) -> Manifest:
    """With the lowest threshold of mode `always` that holds its limits where digits inside other speech are none."""
    sure = (limits.max_words, limits.max_false_per_hour / SURE_DIVISOR)
    at = dataclasses.replace(
        manifest.thresholds, sure=next((p.threshold for p in points if p.holds(*sure)), NOTHING_IS_SURE)
    )
    for point in points:
        if point.holds(RULE_GAIN * limits.max_words, RULE_GAIN * limits.max_false_per_hour):
            at = dataclasses.replace(at, always=point.threshold, entry=min(manifest.thresholds.entry, point.threshold))
            tried = dataclasses.replace(manifest, thresholds=at)
            if test.through_pipeline(_spotter(staged, tried)).holds(limits.max_words, limits.max_false_per_hour):
                break
    return dataclasses.replace(manifest, thresholds=at)


def _scenes(item: Release, config: StreamTraining) -> Scenes:
    """The validation scenes of the training."""
    made_by = studio(item.parts.validation, item.folder.labels, item.run, config, "validation")
    return made_by.make(VALIDATION_ROUND, 0, config.scenes_to_validate, warped=False)  # TensorFlow runs: no forks


def _loss(before: Path, after: Path, scenes: Scenes, spec: Any, n_scenes: int = 50) -> dict[str, float]:
    """What storing the weights smaller cost, on validation scenes."""
    features = scenes.features[:n_scenes].astype(np.float32)
    wanted, found = (
        np.stack([stream_convert.stepped(path, scene, spec.state_size, spec.frames_per_output) for scene in features])
        for path in (before, after)
    )
    targets = scenes.targets[:n_scenes]
    due = (targets >= 0) & (targets < wanted.shape[-1] - 1)
    return {
        "max_posterior_difference": round(float(np.abs(found - wanted).max()), 6),
        "validation_accuracy_float32": round(float((wanted[due].argmax(-1) == targets[due]).mean()), 4),
        "validation_accuracy": round(float((found[due].argmax(-1) == targets[due]).mean()), 4),
    }


def _spotter(staged: Path, manifest: Manifest) -> Spotter:
    found = staging.network(staged, manifest)
    assert isinstance(found, Spotter)  # noqa: S101 - its manifest has a table `stream`
    return found
