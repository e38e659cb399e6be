"""Pictures of a study: spectrograms, curves, confusion, speakers, DET, layers. Each function gives a figure to save."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import ConfusionMatrixDisplay, DetCurveDisplay

from digitd.daemon.features import MelSpec, MelSpectrogram
from digitd.trainer.evaluation import Evaluation
from digitd.trainer.run_folder import write_whole

mpl.rcParams["text.parse_math"] = False  # labels and names may hold a dollar sign
DPI = 80
MEL_COLOURS = "magma"
MOSAIC_COLUMNS = 16
SPLIT_COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:purple", "tab:brown", "tab:pink")


def save(figure: Figure, path: Path) -> None:
    """A PNG file, whole or not at all."""
    # no version in the file: the same figure gives the same bytes
    write_whole(path, lambda beside: figure.savefig(beside, dpi=DPI, metadata={"Software": None}))


def gallery(spectrograms: Mapping[str, Sequence[MelSpectrogram]], spec: MelSpec) -> Figure:
    """Samples of each label, one label a row."""
    columns = max(len(samples) for samples in spectrograms.values())
    figure = Figure(figsize=(1.6 * columns + 1, 1.5 * len(spectrograms) + 0.6), layout="constrained")
    axes = figure.subplots(len(spectrograms), columns, squeeze=False, sharex=True, sharey=True)
    for row, (label, samples) in zip(axes, spectrograms.items(), strict=True):
        row[0].set_ylabel(label, rotation=0, fontsize="x-large", ha="right", va="center")
        for axis in row:
            axis.set(xticks=[], yticks=[])
        for axis, sample in zip(row, samples, strict=False):
            axis.imshow(sample, origin="lower", aspect="auto", cmap=MEL_COLOURS, vmin=0, vmax=1)
    duration_s = spec.clip_samples / spec.sample_rate_hz
    figure.suptitle(f"{spec.n_mels} mels up to {spec.fmax_hz:g} Hz x {spec.n_frames} frames in {duration_s:.2f} s")
    return figure


def curves(histories: Mapping[str, Sequence[Mapping[str, str]]]) -> Figure:
    """Accuracy and loss after each epoch, training (dashed) and validation (solid), one colour a split."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for axis, quantity in zip(figure.subplots(1, 2), ("accuracy", "loss"), strict=True):
        for (split, history), colour in zip(histories.items(), SPLIT_COLOURS, strict=False):
            epochs = [int(row["epoch"]) for row in history]
            for key, style, part in ((quantity, "--", "training"), (f"val_{quantity}", "-", "validation")):
                values = [float(row[key]) for row in history]
                axis.plot(epochs, values, style, color=colour, marker=".", label=f"{split}, {part}")
        axis.set(xlabel="epoch", ylabel=quantity)
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.grid(alpha=0.3)
    figure.axes[0].set_ylim(0, 1.02)
    figure.axes[1].set_ylim(bottom=0)
    figure.axes[0].legend(fontsize="small")
    return figure


def confusion(evaluation: Evaluation) -> Figure:
    """Counts, said against heard; the colour is the share of the row."""
    size = 0.5 * len(evaluation.labels) + 2.5
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axis = figure.subplots()
    shares = evaluation.confusion / np.maximum(evaluation.confusion.sum(axis=1, keepdims=True), 1)
    ConfusionMatrixDisplay(shares, display_labels=evaluation.labels).plot(
        ax=axis, cmap="Blues", include_values=False, im_kw={"vmin": 0, "vmax": 1}
    )
    for row, column in np.ndindex(evaluation.confusion.shape):
        colour = "white" if shares[row, column] > 0.5 else "black"
        count = evaluation.confusion[row, column]
        if count:
            axis.text(column, row, str(count), ha="center", va="center", color=colour, fontsize="small")
    axis.set(xlabel="heard", ylabel="said", title=f"{evaluation.name}: {len(evaluation.truth)} recordings")
    return figure


def speakers(evaluation: Evaluation, most: int = 40) -> Figure:
    """Share right of each speaker with its 95 % interval; the worst `most`."""
    rows = dict(list(evaluation.per_speaker.items())[:most])
    figure = Figure(figsize=(8, 0.24 * len(rows) + 1.2), layout="constrained")
    axis = figure.subplots()
    shares = np.array([row["share"] for row in rows.values()])
    low = shares - [row["low"] for row in rows.values()]
    high = np.array([row["high"] for row in rows.values()]) - shares
    names = [f"{name} ({row['total']:.0f})" for name, row in rows.items()]
    axis.errorbar(shares, names, xerr=np.maximum([low, high], 0), fmt="o", capsize=3)
    axis.set(xlim=(0, 1.02), ylim=(len(rows) - 0.5, -0.5), xlabel="share right, 95 % interval (recordings)")
    axis.grid(alpha=0.3)
    return figure


def det(evaluations: Sequence[Evaluation]) -> Figure:
    """Misses against false alarms on normal deviate axes."""
    figure = Figure(figsize=(5.5, 5), layout="constrained")
    axis = figure.subplots()
    for evaluation in evaluations:
        curve = evaluation.det
        DetCurveDisplay(fpr=curve.false_alarms, fnr=curve.misses, estimator_name=evaluation.name).plot(ax=axis)
    axis.set(xlabel="false alarms", ylabel="misses")
    axis.legend(loc="upper right")  # where no curve is
    return figure


def layers(spectrogram: MelSpectrogram, activations: Mapping[str, NDArray[np.float32]], title: str) -> Figure:
    """A mel spectrogram, and below it each layer's channels side by side; activations are [rows, columns, channels]."""
    heights = [1.6, *(_mosaic_rows(values) * 0.55 for values in activations.values())]
    figure = Figure(figsize=(9, sum(heights) + 0.5 * len(heights)), layout="constrained")
    axes = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    axes[0].imshow(spectrogram, origin="lower", cmap=MEL_COLOURS)
    axes[0].set_title(title, fontsize="medium")
    for axis, (name, values) in zip(axes[1:], activations.items(), strict=True):
        axis.imshow(_mosaic(values), cmap="viridis", interpolation="nearest")
        rows, columns, channels = values.shape
        axis.set_title(f"{name}: {channels} channels of {rows} x {columns}", fontsize="medium")
    for axis in axes:
        axis.set_axis_off()
    return figure


def heard(spectrograms: Sequence[MelSpectrogram], posteriors: NDArray[Any], labels: Sequence[str]) -> Figure:
    """Each utterance's spectrogram above the posteriors of the labels."""
    figure = Figure(figsize=(2.2 * len(spectrograms) + 0.5, 3.6), layout="constrained")
    above, below = figure.subplots(2, len(spectrograms), squeeze=False)
    for mel_axis, bar_axis, spectrogram, row in zip(above, below, spectrograms, posteriors, strict=True):
        mel_axis.imshow(spectrogram, origin="lower", aspect="auto", cmap=MEL_COLOURS, vmin=0, vmax=1)
        mel_axis.set_axis_off()
        mel_axis.set_title(f"{labels[int(row.argmax())]}  {row.max():.0%}")
        bar_axis.bar(labels, row)
        bar_axis.set_ylim(0, 1)
        bar_axis.tick_params(axis="x", rotation=0 if max(map(len, labels)) < 3 else 90)
    return figure


def _mosaic_rows(values: NDArray[np.float32]) -> int:
    return int(-(-values.shape[2] // MOSAIC_COLUMNS))


def _mosaic(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """[rows, columns, channels] -> one picture, low frequencies below; each channel scaled to 0..1."""
    scaled = values - values.min(axis=(0, 1))
    scaled = scaled / np.maximum(scaled.max(axis=(0, 1)), 1e-9)
    tiles = np.pad(np.flip(scaled, axis=0), ((0, 1), (0, 1), (0, 0)), constant_values=np.nan)
    missing = _mosaic_rows(values) * MOSAIC_COLUMNS - tiles.shape[2]
    tiles = np.pad(tiles, ((0, 0), (0, 0), (0, missing)), constant_values=np.nan)
    lines = [
        np.concatenate(np.moveaxis(tiles[:, :, n : n + MOSAIC_COLUMNS], 2, 0), axis=1)
        for n in range(0, tiles.shape[2], MOSAIC_COLUMNS)
    ]
    return np.concatenate(lines)
