"""The card of a bundle that hears a stream, with its picture."""

from typing import Any

from digitd.daemon.bundle import Manifest, Thresholds
from digitd.export.card import speakers, split_sentence
from digitd.trainer.field_report import fixed_rates, ladder, strings, table
from digitd.trainer.field_report import speakers as per_speaker
from digitd.trainer.split import Split

PICTURE = "card.png"
PARTS = ("validation", "test")
ARTICLES = {"isolated": "An", "connected": "A"}
LIMITS = {
    "isolated": "Digits need a pause before and after: of digits said in one breath it hears the last at best.",
    "connected": "In mode always a digit that is not sure is none where other words follow it at once.",
}
"""By kind of bundle."""


def card(manifest: Manifest, metrics: dict[str, Any], parts: Split) -> str:
    """Markdown."""
    stored, thresholds = metrics["weights"], manifest.thresholds
    assert manifest.stream is not None  # noqa: S101 - this card is of such bundles
    spec = manifest.stream
    answer_ms = 1000 * spec.frames_per_output * spec.hop_samples // spec.sample_rate_hz
    opening = f"{ARTICLES[manifest.kind]} **{manifest.kind}** bundle of {manifest.origin.parameters:,} parameters"
    return f"""# {manifest.name}

{opening} that hears a stream: each {answer_ms} ms it says which
of {" ".join(manifest.labels)} has just ended, or that none has. It hears {spec.n_mels} mel bands up to
{spec.fmax_hz:g} Hz. Released {manifest.origin.created}.

## Trained on
{speakers("training", parts.train)}
{speakers("validation", parts.validation)}
{speakers("test", parts.test)}

Split: {split_sentence(parts.kind)}
Synthetic voices are only ever trained on. A recording's licence stays its publisher's.

## Measured
Through the daemon's own pipeline. Digits: isolated words, 0.5-1.2 s apart; one is right if it gives exactly one digit
event and that is its own. Speech and noise: false digits an hour. 95 % intervals (Wilson).

{table(metrics, {"always": thresholds.always, "entry": thresholds.entry})}

Thresholds: {thresholds.calibration}.{_sure(thresholds)}

![Digits in noise, misses against false digits, reliability]({PICTURE})

Digits right (%) in noise, by signal-to-noise ratio; *seen* noises were trained on, *unseen* ones not. This table and
the picture are of the daemon's features, network and decoder, without its source, its speech detector and its rule for
digits inside other speech:

{ladder(metrics)}

Digits right (%) at a threshold under which other words or running speech give at most so many digits:

{fixed_rates(metrics)}

{strings(metrics)}Each speaker, entry mode: {per_speaker(metrics)}.

Confidence: logits are divided by {metrics["temperature"]:g} (chosen on the validation part); expected calibration error
{", ".join(f"{metrics[part]['expected_calibration_error']:.3f} ({part})" for part in PARTS)}.

## Weights
Stored as {stored["stored_as"]}, {stored["bytes"]:,} bytes. Against float32, on the validation speakers: largest
difference of a posterior {stored["max_posterior_difference"]:.2g}, accuracy
{stored["validation_accuracy_float32"]:.2%} -> {stored["validation_accuracy"]:.2%}. ONNX against Keras before that:
{metrics["parity_max_difference"]:.1e}.

## Limits
{LIMITS[manifest.kind]} A voice unlike those above
is heard worse than the table says.
"""


def _sure(thresholds: Thresholds) -> str:
    """What mode always asks for, where not all digits are sure."""
    if not thresholds.sure:
        return ""
    return (
        f" In mode always a digit below {thresholds.sure:g} counts only where a pause or another digit follows it; its "
        "limits hold with that rule."
    )
