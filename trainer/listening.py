"""A recording of one's own through a trained network: what it hears, and what its layers make of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digitd.daemon.errors import CorpusError
from digitd.daemon.features import LogMel, MelSpectrogram
from digitd.daemon.recogniser import Posteriors
from digitd.trainer.classifier import Classifier
from digitd.trainer.examples import read_mono, utterances


@dataclass(frozen=True)
class Heard:
    """The utterances of one recording."""

    starts_s: tuple[float, ...]
    ends_s: tuple[float, ...]
    spectrograms: tuple[MelSpectrogram, ...]
    posteriors: Posteriors
    """float32 [n_utterances, n_labels]."""


def listen(classifier: Classifier, path: Path) -> Heard:
    """What the daemon's front end and the network make of a WAV or FLAC file.

    Raises:
        AudioError: the file is damaged or none.
        CorpusError: no speech was found in it.
    """
    samples, rate_hz = read_mono(path)
    spec = classifier.features
    spoken = utterances(samples, rate_hz, spec.sample_rate_hz)
    if not spoken:
        raise CorpusError(f"{path}: no speech was found in {len(samples) / rate_hz:.1f} s; is it silent?")
    log_mel = LogMel(spec)
    spectrograms = tuple(log_mel.spectrogram(utterance.samples) for utterance in spoken)
    return Heard(
        tuple(utterance.start_sample / spec.sample_rate_hz for utterance in spoken),
        tuple(utterance.end_sample / spec.sample_rate_hz for utterance in spoken),
        spectrograms,
        classifier.posteriors(np.array(spectrograms)),
    )


def layer_activations(model: Any, spectrogram: MelSpectrogram) -> Mapping[str, NDArray[np.float32]]:
    """Of each convolution and pooling layer, `convolution 1`, `pooling 1` ...: float32 [rows, columns, channels]."""
    import keras

    kinds = {keras.layers.Conv2D: "convolution", keras.layers.MaxPooling2D: "pooling"}
    chosen = [layer for layer in model.layers if type(layer) in kinds]
    if not chosen:
        return {}
    part = keras.Model(model.input, [layer.output for layer in chosen])
    counts: Counter[str] = Counter()
    activations = {}
    for layer, values in zip(chosen, part(spectrogram[np.newaxis, ..., np.newaxis]), strict=True):
        kind = kinds[type(layer)]
        counts[kind] += 1
        activations[f"{kind} {counts[kind]}"] = np.asarray(values)[0]
    return activations
