"""What a study is said to show: only what its figures tell."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from digitd.trainer import findings
from digitd.trainer.run_folder import RunFolder
from digitd.trainer.runfile import CorpusConfig, Run
from digitd.trainer.scores import share_right
from digitd.trainer.study import Job, Row
from digitd.trainer.sweep import Outcome

CORPORA = (CorpusConfig("fsdd", "x"),)


def outcome(
    folder: Path,
    name: str,
    split: str,
    right: int,
    *,
    of: int = 1000,
    train: int = 1000,
    losses: tuple[float, ...] = (0.3, 0.2),
    corpora: tuple[CorpusConfig, ...] = CORPORA,
    **row: Any,
) -> Outcome:
    """A finished job that was right so often of the test part, and of 1,000 of the training part."""
    run = RunFolder(folder / f"{name}-{split}")
    run.path.mkdir(parents=True)
    history = [{"epoch": n, "val_loss": loss} for n, loss in enumerate(losses, start=1)]
    run.write_history(history)
    shares = {"train": (train, 1000), "validation": (right, of), "test": (right, of)}
    result = {part: {"accuracy": share_right(*share)} for part, share in shares.items()}
    job = Job(Row(name, ("g",), founder="so", **row), split, Run(f"{name}-{split}", "final64", corpora))
    return Outcome(job, run, result)


@pytest.mark.parametrize(
    ("right", "of", "verdict"),
    [(998, 1000, "**holds**"), (970, 1000, "**does not hold**"), (29, 30, "**not told**"), (989, 1000, "**not told**")],
)
def test_an_accuracy_that_was_claimed(tmp_path: Path, right: int, of: int, verdict: str) -> None:
    (finding,) = findings.of_row([outcome(tmp_path, "a", "random", right, of=of, reaches=0.992)])
    assert finding.claim == "a: so"
    assert finding.verdicts[0].startswith(f"random: {verdict}: ")


@pytest.mark.parametrize(
    ("right", "train", "losses", "verdict"),
    [
        (970, 1000, (0.3, 0.2), "**holds**"),
        (900, 1000, (0.3, 0.2), "**does not hold**"),
        (970, 1000, (0.2, 0.3), "**does not hold**"),
        (100, 100, (2.3, 2.3), "**not told**"),  # it has learned nothing
        (100, 100, (float("nan"), float("nan")), "**not told**"),
    ],
)
def test_overfitting_that_was_denied(
    tmp_path: Path, right: int, train: int, losses: tuple[float, ...], verdict: str
) -> None:
    one = outcome(tmp_path, "a", "random", right, train=train, losses=losses, does_not_overfit=True)
    (finding,) = findings.of_row([one])
    assert finding.verdicts[0].startswith(f"random: {verdict}: ")


def group(tmp_path: Path, *shares: tuple[str, str, int]) -> findings.Finding | None:
    return findings.of_group("g", [outcome(tmp_path, *share) for share in shares])


def test_the_best_of_a_group_and_who_cannot_be_told_from_it(tmp_path: Path) -> None:
    finding = group(tmp_path, ("a", "random", 950), ("b", "random", 945), ("c", "random", 800))
    assert finding
    assert finding.verdicts == ("random: **a**, 95.0 % (93.5-96.2), not told apart from b (intervals overlap)",)


def test_a_choice_that_does_not_carry_over(tmp_path: Path) -> None:
    shares = [("a", "random", 980), ("b", "random", 900), ("a", "strangers", 600), ("b", "strangers", 700)]
    finding = group(tmp_path, *shares)
    assert finding
    assert finding.verdicts[0] == "random: **a**, 98.0 % (96.9-98.7), apart from all others"
    assert finding.verdicts[1].startswith("strangers: **b**")
    assert "does not carry over" in finding.verdicts[2]


def test_noise_is_no_finding(tmp_path: Path) -> None:
    shares = [("a", "random", 970), ("b", "random", 965), ("a", "strangers", 700), ("b", "strangers", 705)]
    finding = group(tmp_path, *shares)
    assert finding
    assert len(finding.verdicts) == 2


def test_only_rows_that_are_finished_on_all_splits_are_compared(tmp_path: Path) -> None:
    assert group(tmp_path / "1", ("a", "random", 970), ("b", "strangers", 700)) is None
    assert group(tmp_path / "2", ("a", "random", 970)) is None
    finding = group(tmp_path / "3", ("a", "random", 9), ("b", "random", 8), ("c", "random", 990))
    assert finding
    assert "**c**" in finding.verdicts[0]


def test_rows_on_other_recordings_are_not_compared(tmp_path: Path) -> None:
    other = outcome(tmp_path, "b", "random", 990, corpora=(CorpusConfig("folders", "y"),))
    assert findings.of_group("g", [outcome(tmp_path, "a", "random", 970), other]) is None


def test_what_has_failed_is_in_no_finding(tmp_path: Path) -> None:
    failed = replace(outcome(tmp_path, "b", "random", 990), result={}, error="gone")
    assert findings.of_group("g", [outcome(tmp_path, "a", "random", 970), failed]) is None
    assert findings.of_row([failed]) == []
