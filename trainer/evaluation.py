"""Posteriors of known recordings -> confusion matrix, classification report, accuracy per speaker, DET curve."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from digitd.daemon.errors import CorpusError, TrainingError
from digitd.daemon.recogniser import Posteriors
from digitd.trainer.classifier import Classifier
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.examples import Ear
from digitd.trainer.feature_cache import FeatureCache
from digitd.trainer.scores import share_right


@dataclass(frozen=True)
class DetCurve:
    """Misses against false alarms (Martin and others, 1997): each recording is a trial for each of the labels."""

    false_alarms: NDArray[np.float64]
    """Share of trials of a label that was not said, accepted at each threshold."""
    misses: NDArray[np.float64]
    """Share of trials of the label that was said, rejected at each threshold."""
    thresholds: NDArray[np.float64]

    @property
    def equal_error_rate(self) -> float:
        """Where both shares are the same."""
        at = int(np.argmin(np.abs(self.false_alarms - self.misses)))
        return float((self.false_alarms[at] + self.misses[at]) / 2)


@dataclass(frozen=True)
class Evaluation:
    """What a network made of known recordings."""

    name: str
    labels: tuple[str, ...]
    truth: NDArray[np.int64]
    """int64 [n], indices into labels."""
    posteriors: Posteriors
    """float32 [n, n_labels]."""
    speakers: tuple[str, ...]
    """Who spoke each."""
    unheard: int
    """Recordings in which no speech was found; they are in none of the figures."""

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the likeliest label is the one that was said, bool [n]."""
        return np.asarray(self.posteriors.argmax(axis=1) == self.truth)

    @property
    def accuracy(self) -> dict[str, float]:
        """Share right with its 95 % interval."""
        return share_right(int(self.right.sum()), len(self.truth))

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """int64 [n_labels, n_labels]: said (rows) against heard (columns)."""
        found = self.posteriors.argmax(axis=1)
        return np.asarray(metrics.confusion_matrix(self.truth, found, labels=range(len(self.labels))))

    @cached_property
    def report(self) -> dict[str, dict[str, float]]:
        """Per label, and averaged: precision, recall, f1-score, support."""
        found: dict[str, Any] = metrics.classification_report(
            self.truth,
            self.posteriors.argmax(axis=1),
            labels=range(len(self.labels)),
            target_names=self.labels,
            output_dict=True,
            zero_division=0.0,
        )
        return {name: row for name, row in found.items() if isinstance(row, dict)}

    @property
    def per_speaker(self) -> dict[str, dict[str, float]]:
        """Share right of each speaker with its interval and total, the worst first."""
        right: dict[str, list[bool]] = defaultdict(list)
        for speaker, is_right in zip(self.speakers, self.right, strict=True):
            right[speaker].append(bool(is_right))
        rows = {who: share_right(sum(hits), len(hits)) for who, hits in right.items()}
        return dict(sorted(rows.items(), key=lambda row: (row[1]["share"], row[0])))

    @cached_property
    def det(self) -> DetCurve:
        """Over the trials of all labels together."""
        said = np.eye(len(self.labels), dtype=int)[self.truth]
        return DetCurve(*metrics.det_curve(said.ravel(), self.posteriors.ravel()))


def evaluate(classifier: Classifier, recordings: Sequence[Recording], ear: Ear, cache: FeatureCache) -> Evaluation:
    """Each recording once, as the daemon would hear it.

    Raises:
        AudioError: a recording is damaged.
        CorpusError: a recording's label is none of the network's, or no speech was found in any.
        TrainingError: the network's answers are no numbers.
    """
    if len(classifier.labels) < 2:
        raise CorpusError(
            f"{classifier.name} knows one label alone, {classifier.labels[0]!r}: there is nothing to tell apart"
        )
    unknown = sorted({recording.label for recording in recordings} - set(classifier.labels))
    if unknown:
        raise CorpusError(
            f"the recordings are labelled {', '.join(map(repr, unknown))}, which {classifier.name} does not know; its "
            f"labels are {', '.join(classifier.labels)}: name these in corpora.labels"
        )
    heard = cache.hear(recordings, classifier.labels, ear, 1, classifier.name)
    speakers = tuple(recordings[source].speaker for source in heard.sources)
    posteriors = classifier.posteriors(heard.features)
    if not np.isfinite(posteriors).all():
        raise TrainingError(
            f"{classifier.name} answers with what is no number: its training has diverged; train it anew"
        )
    return Evaluation(classifier.name, classifier.labels, heard.labels, posteriors, speakers, heard.unheard)
