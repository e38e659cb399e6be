"""`digitd bench`: a whole small run, and the figures that it makes of what it measures."""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from tests.conftest import DEMO

from digitd.daemon import bundle
from digitd.daemon.events import Digit
from digitd.daemon.spotter import Spotter
from digitd.export.bench import arithmetic, batches, endpoints, goals, machine, part, report, stages, takes, usage
from digitd.export.bench.goals import GOALS, Goal
from digitd.export.bench.machine import Surroundings
from digitd.export.bench.part import Part
from digitd.export.bench.plan import Plan
from digitd.export.bench.scoring import Heard
from digitd.export.bench.spread import Spread
from digitd.export.bench.stages import FEEDS, PROBES, STAGES
from digitd.export.bench.steps import Steps
from digitd.export.bench.stopwatch import OUTSIDE, Probe, Stopwatch, probed
from digitd.export.bench.takes import Takes
from digitd.models import DEFAULT_MODEL
from digitd.trainer.compose import Stream
from digitd.trainer.scores import Word

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Takes:
    """The demo in place of continuous speech, and spoken digits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DIGITD_CORPORA", raising=False)
        return takes.taken([DEMO], 20.0, frozenset(), tmp_path_factory.mktemp("takes"))


def test_the_sound_is_the_same_each_time(sound: Takes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIGITD_CORPORA", raising=False)
    again = takes.taken([DEMO], 20.0, frozenset(), tmp_path)
    assert np.array_equal(again.isolated.samples, sound.isolated.samples)
    assert np.array_equal(again.phrases.samples, sound.phrases.samples)
    assert abs(sound.long_s - 20.0) < sound.continuous.length_s


def test_words_lie_where_they_are_said(sound: Takes) -> None:
    for stream, pause_s in ((sound.isolated, 0.45), (sound.phrases, takes.BREATH_S[0])):
        assert all(b.start_s - a.end_s > pause_s - 0.02 for a, b in itertools.pairwise(stream.words))
        word = stream.words[0]
        inside, before = (
            stream.samples[int(begin_s * stream.rate_hz) : int(end_s * stream.rate_hz)]
            for begin_s, end_s in ((word.start_s, word.end_s), (word.start_s - 0.3, word.start_s - 0.06))
        )
        assert (inside**2).mean() > 100 * (before**2).mean()


def test_every_stage_is_timed(sound: Takes) -> None:
    """Also once the pipeline has changed: a stage that is no longer called would be told as free."""
    network = Spotter(bundle.load(DEFAULT_MODEL), "cpu")
    for push_s in FEEDS.values():
        laps = stages.laps_us(network, Plan(DEFAULT_MODEL), sound.files, push_s)
        assert all(sum(lap.get(stage, 0.0) for lap in laps) > 0 for stage in STAGES)
        assert len(laps) == -(-sound.continuous.length_s // push_s) + 1


class Sleeper:
    """Two stages, one within the other."""

    def outer(self) -> Iterator[int]:
        """Busy, then the inner one's."""
        busy(0.01)
        yield 1
        self.inner()
        yield 2

    def inner(self) -> None:
        """Busy."""
        busy(0.03)

    @classmethod
    def apart(cls) -> str:
        """Its class."""
        busy(0.01)
        return cls.__name__


class Counter:
    """Of which each step is known."""

    def count(self, n: int) -> None:
        """So many turns."""
        for _ in range(n):
            len("")


def busy(for_s: float) -> None:
    until_s = time.thread_time() + for_s
    while time.thread_time() < until_s:
        pass


def test_time_belongs_to_the_innermost_stage() -> None:
    stopwatch = Stopwatch()
    probes = [Probe(Sleeper, name, name) for name in ("outer", "inner", "apart")]
    before = dict(vars(Sleeper))
    with probed(probes, stopwatch):
        stopwatch.lap_ns()
        for _ in Sleeper().outer():
            busy(0.02)
        assert Sleeper.apart() == "Sleeper"
        lap_ms = {stage: spent_ns / 1e6 for stage, spent_ns in stopwatch.lap_ns().items()}
    assert lap_ms == pytest.approx({"outer": 10, "inner": 30, "apart": 10, OUTSIDE: 40}, rel=0.2, abs=2)
    assert dict(vars(Sleeper)) == before


def test_steps_are_counted_where_they_are_taken() -> None:
    steps = Steps()
    with probed([Probe(Counter, "count", "count")], steps), steps.counting():
        Counter().count(7)
        first = dict(steps.counted)
        Counter().count(14)
    assert sys.gettrace() is sys.getprofile() is None
    assert steps.counted["count"] - first["count"] == 2 + 14 * 3
    assert first["count"] == 2 + 7 * 3, "a call and the end of the loop; and a turn is two lines and a call"


def test_latency_is_from_the_end_of_the_word() -> None:
    words = (Word("1", "a", 1.0, 1.5), Word("2", "a", 3.0, 3.4), Word("3", "a", 5.0, 5.5))
    digits = (Digit("1", 1, 1.0, 1.5, 1.7), Digit("9", 1, 3.0, 3.4, 3.6), Digit("3", 1, 5.0, 5.5, 5.9))
    score = Heard(digits, 0.0).score(Stream(np.zeros(0, np.float32), 16000, words))
    assert (score["right"], score["words"], score["other_digits"]) == (2, 3, 1)
    assert score["latency_s"] == pytest.approx({"p50": 0.3, "p95": 0.39})


def test_an_endpoint_comes_after_its_silence() -> None:
    speech = [False] * 10 + [True] * 20 + [False] * 40 + [True] * 10 + [False] * 9
    frames = [(0.03 * (n + 1), each) for n, each in enumerate(speech)]
    assert list(endpoints.ends_s(lambda _pcm: iter(frames), b"", 300)) == pytest.approx([1.2])
    stream = Stream(np.zeros(16000 * 3, np.float32), 16000, (Word("1", "a", 0.3, 0.9), Word("2", "a", 2.1, 2.4)))
    assert endpoints.delays_s(stream, [1.2]) == pytest.approx([0.3])


def test_multiply_adds_are_those_of_the_graph(tmp_path: Path) -> None:
    """A product of [1, 3, 8] by [8, 5], then a convolution of 5 channels into 2 by 3."""
    weights = [
        onnx.numpy_helper.from_array(np.ones(shape, np.float32), name)
        for name, shape in (("w", (8, 5)), ("k", (2, 5, 3)))
    ]
    nodes = [
        onnx.helper.make_node("MatMul", ["x", "w"], ["y"]),
        onnx.helper.make_node("Transpose", ["y"], ["t"], perm=[0, 2, 1]),
        onnx.helper.make_node("Conv", ["t", "k"], ["z"]),
    ]
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, 3, 8]), ("z", [1, 2, 1]))
    ]
    graph = onnx.helper.make_graph(nodes, "small", ends[:1], ends[1:], weights)
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), tmp_path / "small.onnx")
    counted = arithmetic.of(tmp_path / "small.onnx", {"x": np.ones((1, 3, 8), np.float32)})
    assert counted.multiply_adds == 3 * 8 * 5 + 2 * 5 * 3
    assert counted.weight_bytes == 4 * (8 * 5 + 2 * 5 * 3)


def test_io_binding_answers_as_a_plain_call(sound: Takes) -> None:
    work = batches.steps(bundle.load(DEFAULT_MODEL), sound, 3)
    call, bound = batches.bound(work, "cpu")
    _, plain = batches.on_cpu(work)
    assert np.array_equal(bound(), plain())
    call()
    assert np.array_equal(bound(), plain()), "what a call left behind went into the answer"


def test_goals_are_read_off_the_figures() -> None:
    figures = {
        "process": {"times_real_time": Spread.of([150.0, 250.0, 260.0]).table()},
        "streams": {"streams_within": 90},
    }
    rows = goals.table(figures).rows
    assert [row[1:] for row in rows] == [("250", "200", "1000", "kept"), ("90", "100", "500", "MISSED")]
    half = Goal("", "a", 0.5, 0.2, against="b")
    assert half.value({"a": 1.0, "b": {"median": 4.0}}) == 0.25
    assert half.value({"a": 1.0}) is None


def test_a_table_is_aligned() -> None:
    told = part.text(Part("Title", ("what", "us"), (("network", "1,234"), ("a", "5")), notes=("Said.",)))
    assert told.splitlines() == ["Title", "  what        us", "  network  1,234", "  a            5", "  Said."]


def test_a_machine_that_is_not_quiet_is_told_of(tmp_path: Path) -> None:
    table = report.whole({}, machine.described(), Surroundings(1.5, 0.7), "digitd bench", "nothing")
    assert "NOT A QUIET MACHINE: load average 1.50" in report.text({}, table)
    assert "NOT A QUIET" not in report.text({}, table | {"surroundings": {"quiet": True}})
    report.write(tmp_path, {}, table)
    assert "NOT A QUIET MACHINE" in (tmp_path / "bench.md").read_text()


def test_what_a_process_takes_is_the_kernels_count() -> None:
    before_s = usage.cpu_s(os.getpid())
    busy(0.2)
    assert 0.19 < usage.cpu_s(os.getpid()) - before_s < 1.0
    assert 10 < usage.resident_mb(os.getpid()) < 4000


def bench(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """The command, as `digitd` calls it."""
    code = (
        "import sys, argparse; from digitd.export.bench_cli import COMMANDS as c;"
        "from digitd.daemon.errors import DigitdError\n"
        "p = argparse.ArgumentParser(); c['bench'].add_arguments(p)\n"
        "try: sys.exit(c['bench'].execute(p.parse_args(sys.argv[1:])))\n"
        "except DigitdError as e: sys.exit(f'digitd: error: {e}')"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_a_whole_small_run(tmp_path: Path) -> None:
    flags = ["--runs", "1", "--long", "8", "--idle", "1", "--most-streams", "2", "--out", str(tmp_path)]
    done = bench(DEMO, *flags, "--only", "stages,limits,process,idle,batches,streams")
    assert done.returncode == 0, done.stderr
    table: dict[str, Any] = json.loads((tmp_path / "bench.json").read_text())
    assert list(table["parts"]) == ["stages", "limits", "process", "idle", "batches", "streams"]
    parts = table["parts"]
    of_stages = parts["stages"]["live"]["stages"]
    assert sum(of_stages[stage]["share"] for stage in STAGES) == pytest.approx(1)
    assert parts["process"]["times_real_time"]["median"] > 1
    assert 0 < parts["process"]["ready_s"]["median"] < 20
    assert 20 < parts["process"]["resident_mb"]["median"] < 200
    assert 0 < parts["idle"]["pipe"]["percent"] < 100
    assert parts["batches"]["cpu"][0]["streams"] == 1
    assert parts["streams"]["curve"][0]["events"] > 0
    assert ("No GPU" in done.stdout) == (not batches.cuda_here())
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")
    page = (tmp_path / "bench.md").read_text()
    assert all(title in page for title in ("# digitd bench", "## Stages", "## Goals", "bench.png"))
    assert not list(tmp_path.glob(".*")), "a file that was written beside is left"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--only", "stags"], "--only: no part 'stags'; did you mean 'stages'?"),
        (["--runs", "0"], "--runs 0 must be at least 1"),
        (["--long", "nan"], "--long nan must be at least 1"),
        (["--model", "study64"], "hears utterances"),
        (["--only", "stages", "/nowhere.wav"], "/nowhere.wav"),
        (["--out", "/proc/none"], "--out /proc/none: cannot be made"),
    ],
)
def test_bad_input_is_one_line(flags: list[str], message: str) -> None:
    done = bench(*flags)
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if not line.startswith("bench: ")]
    assert len(errors) == 1
    assert errors[0].startswith("digitd: error: ")
    assert message in errors[0]


def test_peers_hear_the_same_words(sound: Takes) -> None:
    from digitd.export.bench import peers

    short = Stream(sound.isolated.samples[: 16000 * 20], 16000, tuple(w for w in sound.isolated.words if w.end_s < 19))
    network = Spotter(bundle.load(DEFAULT_MODEL), "cpu")
    ours = peers.heard(peers.digitd(network, "entry", 20), short)
    assert [digit.emitted_s for digit in peers.heard(peers.digitd(network, "entry", 1000), short).digits] == [
        digit.emitted_s for digit in ours.digits
    ]
    final = peers.heard(peers.pocketsphinx(partial=False), short)
    partial = peers.heard(peers.pocketsphinx(partial=True), short)
    assert [digit.digit for digit in final.digits] == [digit.digit for digit in partial.digits]
    assert all(p.emitted_s <= f.emitted_s for p, f in zip(partial.digits, final.digits, strict=True))
    assert ours.score(short)["right"] > final.score(short)["right"] > 0


def test_every_probe_names_a_method() -> None:
    assert all(callable(getattr(probe.owner, probe.method)) for probe in PROBES)
    assert len({goal.what for goal in GOALS}) == len(GOALS)
