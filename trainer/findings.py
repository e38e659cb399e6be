"""What a study shows: the founding study's conclusions held against each split, and the best row of each group."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from digitd.trainer.epochs import best_epoch
from digitd.trainer.scores import percent
from digitd.trainer.sweep import Outcome

LEARNED = 0.9
"""Of a network that is not right on so much of its training part nothing can be told about overfitting ..."""
OVERFIT_GAP = 0.05
"""... of another one that it overfits if it is right so much less often on the validation part ..."""
OVERFIT_RISE = 1.1
"""... or if its validation loss has risen to so many times its lowest."""


HOLDS, DOES_NOT_HOLD, NOT_TOLD = "**holds**", "**does not hold**", "**not told**"


@dataclass(frozen=True)
class Finding:
    """A conclusion and what became of it."""

    claim: str
    verdicts: tuple[str, ...]
    """One sentence a split."""


def of_row(outcomes: Sequence[Outcome]) -> list[Finding]:
    """The founding study's conclusions on one row, given on all its splits."""
    row = outcomes[0].job.row
    finished = [outcome for outcome in outcomes if outcome.result]
    findings = []
    if finished and row.reaches:
        verdicts = tuple(_on(outcome, _reaches(outcome, row.reaches)) for outcome in finished)
        findings.append(Finding(f"{row.name}: {row.founder}", verdicts))
    if finished and row.does_not_overfit:
        verdicts = tuple(_on(outcome, _overfits(outcome)) for outcome in finished)
        findings.append(Finding(f"{row.name}: {row.founder}", verdicts))
    return findings


def of_group(group: str, outcomes: Sequence[Outcome]) -> Finding | None:
    """Which row of a group is best on each split, of those finished on all; None where there are none to compare."""
    finished = [outcome for outcome in outcomes if outcome.result and group in outcome.job.row.groups]
    splits = list(dict.fromkeys(outcome.job.split for outcome in finished))
    done = Counter(outcome.job.row.name for outcome in finished)
    rivals = [outcome for outcome in finished if done[outcome.job.row.name] == len(splits)]
    if (
        len({outcome.job.row.name for outcome in rivals}) < 2
        or len({outcome.job.run.corpora for outcome in rivals}) > 1
    ):
        return None
    on_split = {split: [outcome for outcome in rivals if outcome.job.split == split] for split in splits}
    verdicts = [_on(max(on_split[split], key=_share), _best(on_split[split])) for split in splits]
    if not set.intersection(*(_in_front(members) for members in on_split.values())):
        verdicts.append("So what is best here on one split is behind on another: the choice does not carry over.")
    return Finding(f"{group}: which is best", tuple(verdicts))


def _share(outcome: Outcome) -> float:
    return float(_test(outcome)["share"])


def _test(outcome: Outcome) -> dict[str, float]:
    accuracy: dict[str, float] = outcome.result["test"]["accuracy"]
    return accuracy


def _on(outcome: Outcome, verdict: str) -> str:
    return f"{outcome.job.split}: {verdict}"


def _reaches(outcome: Outcome, claimed: float) -> str:
    accuracy = _test(outcome)
    is_told = accuracy["low"] >= claimed or accuracy["high"] < claimed
    verdict = HOLDS if accuracy["low"] >= claimed else DOES_NOT_HOLD
    return f"{verdict if is_told else NOT_TOLD}: {percent(accuracy)} against {100 * claimed:.1f} %"


def _overfits(outcome: Outcome) -> str:
    trained, validated = (outcome.result[part]["accuracy"]["share"] for part in ("train", "validation"))
    losses = [float(row["val_loss"]) for row in outcome.folder.history]
    if not all(map(math.isfinite, losses)):
        return f"{NOT_TOLD}: the training has diverged"
    if trained - validated > OVERFIT_GAP or losses[-1] > OVERFIT_RISE * min(losses):
        verdict = DOES_NOT_HOLD
    else:
        verdict = HOLDS if trained >= LEARNED else NOT_TOLD
    return (
        f"{verdict}: {100 * trained:.1f} % of the training part right, {100 * validated:.1f} % of the validation part; "
        f"validation loss {min(losses):.2f} after epoch {best_epoch(outcome.folder.history)}, {losses[-1]:.2f} after "
        f"epoch {len(losses)}"
    )


def _in_front(rivals: Sequence[Outcome]) -> set[str]:
    """The best row, and those whose interval reaches into its."""
    low = _test(max(rivals, key=_share))["low"]
    return {outcome.job.row.name for outcome in rivals if _test(outcome)["high"] >= low}


def _best(rivals: Sequence[Outcome]) -> str:
    best = max(rivals, key=_share)
    near = [o.job.row.name for o in rivals if o is not best and o.job.row.name in _in_front(rivals)]
    apart = f"not told apart from {', '.join(near)} (intervals overlap)" if near else "apart from all others"
    return f"**{best.job.row.name}**, {percent(_test(best))}, {apart}"
