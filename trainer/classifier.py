"""A trained network in either of its forms, Keras run or released bundle, asked the same way."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from digitd.daemon import bundle
from digitd.daemon.errors import BundleError, TrainingError
from digitd.daemon.features import MelSpec
from digitd.daemon.recogniser import Posteriors, Recogniser
from digitd.trainer.run_folder import RunFolder

BATCH = 256


@dataclass(frozen=True)
class Classifier:
    """What a trained network is to an evaluation."""

    name: str
    labels: tuple[str, ...]
    features: MelSpec
    posteriors: Callable[[NDArray[np.float32]], Posteriors]
    """float32 [n, n_mels, n_frames] -> float32 [n, n_labels]."""


def of_run(folder: RunFolder) -> Classifier:
    """The network of a finished run.

    Raises:
        TrainingError: it is damaged.
    """
    model = load_network(folder.model)
    return Classifier(
        folder.run.name,
        folder.labels,
        folder.run.features,
        lambda features: in_batches(lambda batch: np.asarray(model(batch[..., np.newaxis], training=False)), features),
    )


def of_bundle(name_or_dir: str) -> Classifier:
    """The network of a released bundle, as the daemon runs it.

    Raises:
        BundleError: there is none, or it does not answer as it did when it was released.
    """
    found = bundle.load(name_or_dir)
    if found.manifest.stream is not None:
        raise BundleError(
            f"{name_or_dir}: hears a stream, not utterances; evaluate it with a run file that has `stream`"
        )
    recogniser = Recogniser(found, "cpu")
    manifest = recogniser.bundle.manifest

    def posteriors(features: NDArray[np.float32]) -> Posteriors:
        return in_batches(recogniser.posteriors, features)

    return Classifier(manifest.name, manifest.labels, recogniser.spec, posteriors)


def in_batches(network: Callable[[NDArray[np.float32]], Posteriors], features: NDArray[np.float32]) -> Posteriors:
    """float32 [n, n_labels] of float32 [n, n_mels, n_frames], some at a time: memory stays bounded."""
    return np.concatenate([network(features[n : n + BATCH]) for n in range(0, len(features), BATCH)])


def load_network(path: Path, remedy: str = "train anew") -> Any:
    """A Keras model of a file.

    Raises:
        TrainingError: it is missing or damaged.
    """
    import keras  # not needed for a bundle

    try:
        return keras.saving.load_model(path)
    except (OSError, ValueError, KeyError, RuntimeError, BadZipFile) as error:
        raise TrainingError(f"{path}: missing or damaged ({error}); {remedy}") from error
