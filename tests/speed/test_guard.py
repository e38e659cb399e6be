"""A stage that has become slower by a quarter is noticed: by counts and by ratios, never by seconds."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.speed import ratios, work
from tests.speed.ratios import Work

from digitd.daemon.spotter import Spotter
from digitd.daemon.vad import FrameVad
from digitd.export.bench.stages import FEEDS, STAGES

SLOWER = 1.2
"""From here on it is slower; a quarter more is well above, and counts of the same code are the same."""
FASTER = 0.8
"""From here on what is known is stale, and would let a slow-down pass."""
FEW_STEPS = 25.0
"""A stage of hardly any steps may take so many more a second of sound."""
MOST_NETWORK = 0.65
"""0.56-0.59 were measured: the daemon's session unpacks its int8 weights once, one of ONNX Runtime's own each time."""
MOST_FEATURES = 1.45
"""1.29-1.31 were measured: running levels and joints beside what they are made of."""
REMEDY = "; if that is meant, run `python -m tests.speed.work`"


def changed(found: dict[str, Any], known: dict[str, Any]) -> list[str]:
    """What takes more or less than was known, a line each."""
    told = []
    for feed, of in known.items():
        for kind, each in of.items():
            for name, was in each.items():
                now = found[feed][kind][name]
                slack = FEW_STEPS if kind == "steps" else 0.0
                if now > SLOWER * was + slack:
                    told.append(f"{feed}: {kind} of {name}: {now:g} a second of sound, were {was:g}")
                elif now < FASTER * was - slack:
                    told.append(f"{feed}: {kind} of {name}: {now:g} a second of sound, were {was:g}; it is faster")
    return told


def test_work_of_each_stage_is_what_it_was(spotter: Spotter) -> None:
    told = changed(work.counted(spotter), work.known()[spotter.bundle.manifest.name])
    assert not told, "\n".join(told) + REMEDY


def test_counts_are_the_same_each_time(spotter: Spotter) -> None:
    assert work.counted(spotter) == work.counted(spotter)


def test_every_stage_is_counted() -> None:
    for of in work.known().values():
        assert set(of) == set(FEEDS)
        assert all(set(each["steps"]) == set(STAGES) for each in of.values())
        assert all(steps > 0 for each in of.values() for steps in each["steps"].values())


def slowed(original: Callable[..., Any], n_steps: int) -> Callable[..., Any]:
    """A generator function that does the same, and takes so many more steps each time it is called."""

    def slower(*arguments: Any) -> Any:
        for _ in range(n_steps):
            pass
        yield from original(*arguments)

    return slower


@pytest.mark.parametrize(("owner", "method", "stage"), [(FrameVad, "push", "speech detector")])
def test_a_planted_slow_down_of_python_is_noticed(
    spotter: Spotter, monkeypatch: pytest.MonkeyPatch, owner: type, method: str, stage: str
) -> None:
    """A quarter more steps of one stage, and nothing else."""
    known = work.known()[spotter.bundle.manifest.name]
    quarter = round(0.25 * known["live"]["steps"][stage] / 50)  # it is called for each of 50 chunks a second
    monkeypatch.setattr(owner, method, slowed(getattr(owner, method), quarter // 2))  # a turn of the loop is two lines
    told = changed(work.counted(spotter), known)
    assert [line for line in told if line.startswith(f"live: steps of {stage}")]
    assert all(f"of {stage}" in line for line in told)


def and_a_quarter(task: Work) -> Work:
    """The same, and a quarter of the time that it took again."""

    def slower() -> None:
        quarter_s = 0.25 * ratios.took_s(task)
        until_s = time.thread_time() + quarter_s
        while time.thread_time() < until_s:
            pass

    return slower


BOUNDS = [
    pytest.param(ratios.network, MOST_NETWORK, id="network"),
    pytest.param(ratios.features, MOST_FEATURES, id="features"),
]


@pytest.mark.parametrize(("pair", "most"), BOUNDS)
def test_native_work_takes_what_it_consists_of(
    spotter: Spotter, pair: Callable[[Spotter], tuple[Work, Work]], most: float
) -> None:
    assert not ratios.exceeds(*pair(spotter), most)


@pytest.mark.parametrize(("pair", "most"), BOUNDS)
def test_a_planted_slow_down_of_native_work_is_noticed(
    spotter: Spotter, pair: Callable[[Spotter], tuple[Work, Work]], most: float
) -> None:
    task, bare = pair(spotter)
    assert ratios.exceeds(and_a_quarter(task), bare, most)
