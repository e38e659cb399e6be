"""A network's last layer, moved towards one voice as far as that changes nothing for others.

What the network has learnt to hear stays; only what it makes of it is taught again: that these sounds are this
person's "three". Twenty words alone would teach it to call everything a digit: without more, other words of strangers
gave three times as many. So it is asked as well to go on answering what it did on `guard`'s words and digits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digitd.export.last_layer import Weights

Hidden = NDArray[np.float32]
"""float32 [n_outputs, n_inputs]: what the last layer is shown, output by output."""
Values = NDArray[np.float64]

DUE_OUTPUTS = 5
"""So many outputs in a row tell of a digit that has ended."""
DUE_FROM_S, DUE_TO_S = 0.08, 0.42
"""They lie between so long after the beginning of the word and so long after its end,"""
EXPECTED_S = 0.10
"""where the network tells of it by now; where it does not at all, so long after its end."""
UNKNOWN_SHARE = 0.05
DUE_SHARE = 0.98
"""What is asked for there: the network was never taught to be quite sure."""
AWAY_S = 0.6
"""From here on after a word, and before it, nothing is to change."""
MARGIN = 1e-4


@dataclass(frozen=True)
class EnrolmentConfig:
    """Chosen on 18 voices that the bundle knew or did not know, of whom it had 30 to 95 % of the digits."""

    digit_weight: float = 3.0
    """Of each output that tells of a prompt."""
    guard_weight: float = 0.2
    """Of each output of the guard."""
    room_weight: float = 0.3
    """Of each output before and after a prompt."""
    shipped_weight: float = 0.3
    """Of the distance from the shipped weights."""
    hard_outputs: int = 1500
    """Of the guard: those that are most like a digit,"""
    random_outputs: int = 1500
    """and some of all others."""


@dataclass(frozen=True)
class Spoken:
    """What the last layer is shown of a prompt."""

    label: int
    """Number of the digit."""
    hidden: Hidden
    start_s: float
    """Of the word, as the segmenter found it."""
    end_s: float


@dataclass(frozen=True)
class Lesson:
    """Inputs of the last layer, and what is to come of them."""

    inputs: Values
    """float64 [n, n_inputs + 1], the last of them 1."""
    wanted: Values
    """float64 [n, n_outputs]."""
    weights: Values
    """float64 [n]."""


def posteriors(hidden: Hidden, weights: Weights) -> NDArray[np.float32]:
    """What the network answers with a last layer of these weights, float32 [n, n_outputs]."""
    return _softmax(_with_one(hidden) @ weights).astype(np.float32)


def lesson_of(spoken: Spoken, shipped: Weights, output_s: float, config: EnrolmentConfig) -> Lesson:
    """The digit where the network is to tell of it, and away from it what it answers by now."""
    answers = posteriors(spoken.hidden, shipped)
    at_s = np.asarray((np.arange(len(answers)) + 1) * output_s, np.float64)
    due = due_outputs(answers[:, spoken.label], at_s, spoken)
    away = np.flatnonzero((at_s < spoken.start_s) | (at_s > spoken.end_s + AWAY_S))
    wanted = np.full((len(due), answers.shape[1]), (1 - DUE_SHARE) / (answers.shape[1] - 1))
    wanted[:, spoken.label] = DUE_SHARE
    weights = np.repeat([config.digit_weight, config.room_weight], [len(due), len(away)])
    inputs = _with_one(spoken.hidden[np.concatenate([due, away])])
    return Lesson(inputs, np.concatenate([wanted, answers[away]]), weights)


def due_outputs(shares: NDArray[np.float32], at_s: NDArray[np.float64], spoken: Spoken) -> NDArray[np.intp]:
    """The outputs that are to tell of a prompt: voices fade, and the network knows best where a word ends."""
    inside = np.flatnonzero((at_s > spoken.start_s + DUE_FROM_S) & (at_s < spoken.end_s + DUE_TO_S))
    firsts = inside[: max(1, len(inside) - DUE_OUTPUTS + 1)]
    told = [float(np.log(shares[first : first + DUE_OUTPUTS] + MARGIN).sum()) for first in firsts]
    first = int(firsts[int(np.argmax(told))]) if told else len(shares)
    if shares[first : first + DUE_OUTPUTS].max(initial=0.0) < UNKNOWN_SHARE:
        first = int(np.searchsorted(at_s, spoken.end_s + EXPECTED_S))
    first = max(0, min(first, len(shares) - DUE_OUTPUTS))
    return np.arange(first, min(first + DUE_OUTPUTS, len(shares)))


def lesson_of_guard(words: Hidden, digits: Hidden, shipped: Weights, config: EnrolmentConfig) -> Lesson:
    """What is to stay as it is: others' words are no digits, and others' digits are."""
    generator = np.random.default_rng(0)
    inputs, wanted = [], []
    for hidden in (words, digits):
        answers = posteriors(hidden, shipped).astype(np.float64)
        hard = np.argsort(-answers[:, :-1].max(axis=1))[: config.hard_outputs]
        chosen = np.union1d(hard, generator.permutation(len(hidden))[: config.random_outputs])
        inputs.append(_with_one(hidden[chosen]))
        wanted.append(answers[chosen])
    n = sum(map(len, wanted))
    return Lesson(np.concatenate(inputs), np.concatenate(wanted), np.full(n, config.guard_weight))


def taught(lessons: Sequence[Lesson], shipped: Weights, config: EnrolmentConfig) -> Weights:
    """The weights of a last layer that has had these lessons."""
    inputs = np.concatenate([lesson.inputs for lesson in lessons])
    wanted = np.concatenate([lesson.wanted for lesson in lessons])
    weights = np.concatenate([lesson.weights for lesson in lessons])

    def surprise(flat: Values) -> tuple[float, Values]:
        tried = flat.reshape(shipped.shape)
        logits = inputs @ tried
        logits -= logits.max(axis=1, keepdims=True)
        sums = np.exp(logits).sum(axis=1)
        away = tried - shipped
        loss = weights @ (np.log(sums) - (wanted * logits).sum(axis=1)) + config.shipped_weight / 2 * (away**2).sum()
        error = (np.exp(logits) / sums[:, np.newaxis] - wanted) * weights[:, np.newaxis]
        return float(loss), (inputs.T @ error + config.shipped_weight * away).ravel()

    return _least(surprise, shipped.ravel().copy()).reshape(shipped.shape)


def held_back(weights: Weights, log_odds: float) -> Weights:
    """The same with every digit that much less likely against none."""
    found = weights.copy()
    found[-1, -1] += log_odds
    return found


def _least(
    value_of: Callable[[Values], tuple[float, Values]], at: Values, steps: int = 100, remembered: int = 10
) -> Values:
    """Where a convex function is least: L-BFGS (Nocedal, 1980), which SciPy has too, but that is no dependency here."""
    past: list[tuple[Values, Values]] = []
    value, slope = value_of(at)
    for _ in range(steps):
        direction = _downhill(slope, past)
        length, gain = 1.0, float(direction @ slope)
        while (next_value := (found := value_of(at - length * direction))[0]) > value - 1e-4 * length * gain:
            length /= 2
            if length < 1e-9:
                return at
        moved, turned = -length * direction, found[1] - slope
        if moved @ turned > 0:
            past = [*past, (moved, turned)][-remembered:]
        settled = value - next_value <= 1e-7 * max(1.0, abs(value))
        at, value, slope = at + moved, next_value, found[1]
        if settled:
            break
    return at


def _downhill(slope: Values, past: list[tuple[Values, Values]]) -> Values:
    """The slope, bent by what past steps told of its change."""
    if not past:
        return slope / max(1.0, float(np.abs(slope).sum()))
    direction, shares = slope.copy(), []
    for moved, turned in reversed(past):
        shares.append(float(moved @ direction / (moved @ turned)))
        direction -= shares[-1] * turned
    moved, turned = past[-1]
    direction *= float(moved @ turned / (turned @ turned))
    for (moved, turned), share in zip(past, reversed(shares), strict=True):
        direction += moved * (share - float(turned @ direction / (moved @ turned)))
    return direction


def _with_one(hidden: Hidden) -> Values:
    return np.concatenate([hidden, np.ones((len(hidden), 1))], axis=1)


def _softmax(logits: Values) -> Values:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float64)
