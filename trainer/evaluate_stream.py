"""A bundle that hears a stream on known recordings, through the daemon's own pipeline."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digitd.daemon import bundle
from digitd.daemon.spotter import Spotter
from digitd.trainer import field_report, plots
from digitd.trainer.part_test import PartTest
from digitd.trainer.run_folder import make_folder, write_whole

if TYPE_CHECKING:
    from digitd.trainer.evaluate_cli import Known


def evaluate_stream(name_or_dir: str, known: "Known", out: Path | None) -> int:
    """Write metrics.json, evaluation.md and its picture, and print the text.

    Raises:
        AudioError: a recording is damaged.
        BundleError: the bundle does not answer as it did when it was released.
        TrainingError: the folder cannot be written.
    """
    spotter = Spotter(bundle.load(name_or_dir), "cpu")
    manifest = spotter.bundle.manifest
    test = PartTest(known.recordings, manifest.labels, manifest.sample_rate_hz, known.noises_seen)
    metrics = {known.part: test.measured(spotter, test.curve(spotter))}
    out = out or Path("evaluation") / manifest.name
    make_folder(out)
    plots.save(field_report.picture(metrics), out / "evaluation.png")
    _write(out / "metrics.json", json.dumps(metrics, indent=2) + "\n")
    text = _text(spotter, known, metrics)
    _write(out / "evaluation.md", text)
    print(text)
    return 0


def _write(path: Path, text: str) -> None:
    write_whole(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def _text(spotter: Spotter, known: "Known", metrics: dict[str, Any]) -> str:
    manifest = spotter.bundle.manifest
    thresholds = {"always": manifest.thresholds.always, "entry": manifest.thresholds.entry}
    return f"""# {manifest.name}

On the {known.part} part of a split by {known.run.split.kind}; whom the bundle was trained on is told in its card.

{field_report.table(metrics, thresholds)}

Digits right (%) in noise that was trained on (seen) and that was not:

{field_report.ladder(metrics)}

Digits right (%) at a threshold under which other words or speech give at most so many:

{field_report.fixed_rates(metrics)}

{field_report.strings(metrics)}Each speaker, entry mode: {field_report.speakers(metrics)}.

Expected calibration error {metrics[known.part]["expected_calibration_error"]:.3f}.

![Digits in noise, misses against false digits, reliability](evaluation.png)
"""
