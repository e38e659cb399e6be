"""The card of a bundle: what it is, what it was trained on, what it can and cannot do."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from digitd.daemon.bundle import Manifest
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.split import Split


def card(manifest: Manifest, metrics: dict[str, Any], parts: Split) -> str:
    """Markdown."""
    thresholds, stored, spec = manifest.thresholds, metrics["weights"], manifest.features
    assert spec is not None  # noqa: S101 - this card is of bundles that hear utterances
    return f"""# {manifest.name}

An **{manifest.kind}** bundle of {manifest.origin.parameters:,} parameters: one utterance in, one of the labels
{" ".join(manifest.labels)} out, or a rejection. It hears {spec.n_mels} mels x
{spec.n_frames} frames of {spec.clip_samples / spec.sample_rate_hz:.3f} s, up to
{spec.fmax_hz:g} Hz. Released {manifest.origin.created}.

## Trained on
{speakers("training", parts.train)}
{speakers("validation", parts.validation)}
{speakers("test", parts.test)}

Split: {split_sentence(parts.kind)}
A recording's licence stays its publisher's.

## Measured
Isolated words, 0.5-1.2 s apart, through the daemon's own pipeline; a word is right if it gives exactly one digit
event and that is its own. 95 % intervals (Wilson).

| part | mode | threshold | words | segmented | right | latency p50 / p95 |
|---|---|---|---|---|---|---|
{_rows(metrics, {"always": thresholds.always, "entry": thresholds.entry})}

Thresholds: {thresholds.calibration}.

## Weights
Stored as {stored["stored_as"]}, {stored["bytes"]:,} bytes. Against float32, on the validation speakers: largest
difference of a posterior {stored["max_posterior_difference"]:.2g}, accuracy
{stored["validation_accuracy_float32"]:.2%} -> {stored["validation_accuracy"]:.2%}. ONNX against Keras before that:
{metrics["parity_max_difference"]:.1e}.

## Limits
It has no class for what is no digit: a word, a cough or a chair can come out as a digit with high confidence. A voice
unlike those above is heard worse than the table says.
"""


def speakers(part: str, recordings: Sequence[Recording]) -> str:
    """A line about who is in a part."""
    per_corpus = Counter(recording.corpus for recording in recordings)
    corpora = ", ".join(f"{corpus} {count}" for corpus, count in sorted(per_corpus.items()))
    speakers = len({recording.speaker for recording in recordings})
    return f"- {part}: {len(recordings)} recordings of {speakers} speaker(s): {corpora}"


def split_sentence(kind: str) -> str:
    """Whether somebody is heard in two parts."""
    if kind == "random":
        return "**random**: the same voices are in every part, so the table flatters."
    return "nobody is heard in two parts."


def _rows(metrics: dict[str, Any], thresholds: dict[str, float]) -> str:
    rows = []
    for part in ("validation", "test"):
        for mode, threshold in thresholds.items():
            found = metrics[part][mode]
            right, segmented = found["right"], found["segmented"]
            latency = " / ".join(f"{seconds:.2f} s" for seconds in found["latency_s"].values())
            rows.append(
                f"| {part} | {mode} | {threshold:.4f} | {found['words']} | {segmented['share']:.1%} | "
                f"{right['share']:.1%} ({right['low']:.1%}-{right['high']:.1%}) | {latency} |"
            )
    return "\n".join(rows)
