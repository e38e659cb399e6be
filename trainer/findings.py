"""What a study shows: the founding study's conclusions held against each split, and the best row of each group."""

from collections.abc import Sequence
from dataclasses import dataclass

from digitd.trainer.epochs import best_epoch
from digitd.trainer.scores import percent
from digitd.trainer.sweep import Outcome

OVERFIT_GAP = 0.05
"""A network overfits if it is right on its training part so much more often than on the validation part ..."""
OVERFIT_RISE = 1.1
"""... or if its validation loss has risen to so many times its lowest."""


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
    if row.reaches:
        verdicts = tuple(_on(outcome, _reaches(outcome, row.reaches)) for outcome in finished)
        findings.append(Finding(f"{row.name}: {row.founder}", verdicts))
    if row.does_not_overfit:
        verdicts = tuple(_on(outcome, _overfits(outcome)) for outcome in finished)
        findings.append(Finding(f"{row.name}: {row.founder}", verdicts))
    return findings


def of_group(group: str, outcomes: Sequence[Outcome]) -> Finding | None:
    """Which row of a group is best on each split, and whether the others can be told from it."""
    finished = [outcome for outcome in outcomes if outcome.result and group in outcome.job.row.groups]
    splits = dict.fromkeys(outcome.job.split for outcome in finished)
    if len({outcome.job.row.name for outcome in finished}) < 2:
        return None
    best = {split: max((o for o in finished if o.job.split == split), key=_share) for split in splits}
    verdicts = [_best(split, best[split], [o for o in finished if o.job.split == split]) for split in splits]
    if len({outcome.job.row.name for outcome in best.values()}) > 1:
        verdicts.append("So the choice that this group suggests does not carry over from one split to the other.")
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
    holds = "**holds**" if accuracy["high"] >= claimed else "**does not hold**"
    return f"{holds}: {percent(accuracy)} against {100 * claimed:.1f} %"


def _overfits(outcome: Outcome) -> str:
    trained, validated = (outcome.result[part]["accuracy"]["share"] for part in ("train", "validation"))
    history = outcome.folder.history
    lowest, last = float(history[best_epoch(history) - 1]["val_loss"]), float(history[-1]["val_loss"])
    overfits = trained - validated > OVERFIT_GAP or last > OVERFIT_RISE * lowest
    return (
        f"{'**does not hold**' if overfits else '**holds**'}: {100 * trained:.1f} % of the training part right, "
        f"{100 * validated:.1f} % of the validation part; validation loss {lowest:.2f} after epoch "
        f"{best_epoch(history)}, {last:.2f} after epoch {len(history)}"
    )


def _best(split: str, best: Outcome, rivals: Sequence[Outcome]) -> str:
    low = _test(best)["low"]
    near = [o.job.row.name for o in rivals if o is not best and _test(o)["high"] >= low]
    apart = f"not told apart from {', '.join(near)} (intervals overlap)" if near else "apart from all others"
    return f"{split}: **{best.job.row.name}**, {percent(_test(best))}, {apart}"
