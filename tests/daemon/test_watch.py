"""`digitd watch` and `digitd mode`: readers of a socket whose daemon may go away."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import DEMO, DEMO_DIGITS

from digitd.daemon.audio import Samples
from digitd.daemon.errors import SinkError
from digitd.daemon.events import Alternative, Body, Digit, End, Ready, Stamp, String
from digitd.daemon.follower import FIRST_PAUSE_S, LONGEST_PAUSE_S, MAX_LINE_BYTES, Follower
from digitd.daemon.ledger import Ledger
from digitd.daemon.received import Received, received
from digitd.daemon.sinks.stdout import FORMATS
from digitd.daemon.watch_cli import SYSTEM_SOCKET, default_path

Digitd = Callable[..., subprocess.CompletedProcess[Any]]
COMMAND = [sys.executable, "-m", "digitd"]
READY = Ready("study64", "cpu", "mic", "always")
DIGIT = Digit("7", 0.98, 1.2, 1.6, 1.8)
PIPE = subprocess.PIPE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


class Watch:
    """`digitd watch`, and all that it has said so far."""

    def __init__(self, path: Path, *flags: str) -> None:
        command = [*COMMAND, "watch", str(path), *flags]
        self.process = subprocess.Popen(command, stdout=PIPE, stderr=PIPE, bufsize=0)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._stdout, self._stderr = self.process.stdout, self.process.stderr

    def line(self) -> str:
        return next_line(self._stdout)

    def told(self) -> str:
        return next_line(self._stderr)

    def says_nothing(self, for_s: float) -> bool:
        return not select.select([self._stdout, self._stderr], [], [], for_s)[0]

    def leave(self) -> None:
        """As `head` does."""
        self._stdout.close()

    def close(self) -> None:
        """Wherever it stands."""
        self.process.kill()
        self.process.wait()
        self._stdout.close()
        self._stderr.close()

    def finish(self) -> tuple[list[str], list[str]]:
        """What is left of both streams."""
        output, log = self.process.communicate(timeout=20)
        return output.decode().splitlines(), log.decode().splitlines()


def next_line(stream: IO[bytes]) -> str:
    assert select.select([stream], [], [], 20)[0]
    return stream.readline().decode().removesuffix("\n")


@pytest.fixture
def watch(path: Path) -> Iterator[Callable[..., Watch]]:
    started: list[Watch] = []

    def start(*flags: str) -> Watch:
        started.append(Watch(path, *flags))
        return started[-1]

    yield start
    for each in started:
        each.close()


class Daemon:
    """`digitd run` on a pipe, at a socket."""

    def __init__(self, path: Path) -> None:
        sinks = ["--sink", "stdout:jsonl", "--sink", f"unix:{path}"]
        self.process = subprocess.Popen([*COMMAND, "run", "--source", "-", *sinks], stdin=PIPE, stdout=PIPE)

    def feed(self, samples: Samples) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(np.round(samples * 32768).astype("<i2").tobytes())
        self.process.stdin.flush()

    def kill(self) -> list[str]:
        """All that it has published."""
        self.process.kill()
        return self.process.communicate()[0].decode().splitlines()

    def finish(self) -> list[str]:
        output = self.process.communicate(timeout=20)[0]
        assert self.process.returncode == 0
        return output.decode().splitlines()


def test_it_follows_a_daemon_that_is_killed_again_and_again(
    path: Path, watch: Callable[..., Watch], demo: Samples
) -> None:
    watching = watch()
    assert watching.told() == f"digitd: {path}: nobody answers (No such file or directory), trying again"
    for generation, back in enumerate(["there", "back", "back"]):
        daemon = Daemon(path)
        seen = [watching.line()]
        assert watching.told() == f"digitd: {path}: {back}"
        if generation:
            assert watching.told() == "digitd: stdin: starts anew (seq 0)"
        daemon.feed(demo[: len(demo) // 2])
        while json.loads(seen[-1])["type"] != "digit" or not watching.says_nothing(1.0):
            seen.append(watching.line())
        assert seen == daemon.kill()
        assert watching.told() == f"digitd: {path}: gone, trying again"
    last = Daemon(path)
    seen = [watching.line()]
    assert [watching.told() for _ in range(2)][1] == "digitd: stdin: starts anew (seq 0)"
    last.feed(demo)
    published = last.finish()
    seen += [watching.line() for _ in published[1:]]
    assert seen == published
    assert watching.told() == f"digitd: {path}: gone, trying again"
    assert watching.says_nothing(1.0)
    watching.process.terminate()
    assert watching.finish() == ([], [])


class FakeDaemon:
    """A socket that sends just what it is told to."""

    def __init__(self, path: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(20)

    def accept(self, sent: bytes = b"") -> socket.socket:
        client, _ = self._listener.accept()
        client.sendall(sent)
        return client

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def fake(path: Path) -> Iterator[FakeDaemon]:
    daemon = FakeDaemon(path)
    yield daemon
    daemon.close()


def events(*bodies: Body) -> list[bytes]:
    stamp = Stamp("mic")
    return [stamp.event(body).to_json().encode() + b"\n" for body in bodies]


def test_what_is_missed_is_told(path: Path, fake: FakeDaemon, watch: Callable[..., Watch]) -> None:
    sent = events(READY, *[DIGIT] * 30)
    watching = watch()
    with fake.accept(sent[0] + sent[7] + sent[8] + sent[12]):  # what came before it was there it has not missed
        assert watching.told() == "digitd: mic: missed 3 events (seq 9-11)"
        assert [json.loads(watching.line())["seq"] for _ in range(4)] == [0, 7, 8, 12]
        assert watching.says_nothing(0.3)
    assert watching.told() == f"digitd: {path}: gone, trying again"
    with fake.accept(sent[0]):  # the same daemon sends its `ready` once more
        assert watching.told() == f"digitd: {path}: back"
        assert watching.line() == sent[0].decode().strip()
        assert watching.says_nothing(0.3)
    assert watching.told() == f"digitd: {path}: gone, trying again"
    with fake.accept(sent[0] + sent[14]):
        assert watching.told() == f"digitd: {path}: back"
        assert watching.told() == "digitd: mic: missed 1 event (seq 13)"
    assert watching.told() == f"digitd: {path}: gone, trying again"
    anew = events(READY, *[DIGIT] * 3)
    with fake.accept(anew[0] + anew[2]):
        assert watching.told() == f"digitd: {path}: back"
        assert watching.told() == "digitd: mic: starts anew (seq 0)"
        assert watching.told() == "digitd: mic: missed 1 event (seq 1)"
        assert [json.loads(watching.line())["seq"] for _ in range(4)] == [0, 14, 0, 2]
        assert watching.says_nothing(0.3)


def test_a_line_that_breaks_off_is_not_printed(path: Path, fake: FakeDaemon, watch: Callable[..., Watch]) -> None:
    ready, digit = events(READY, DIGIT)
    watching = watch()
    fake.accept(ready + digit[:20]).close()
    assert watching.told() == f"digitd: {path}: gone, trying again"
    fake.accept(ready + digit).close()
    assert [watching.line() + "\n" for _ in range(3)] == [each.decode() for each in (ready, ready, digit)]


def test_one_outage_is_told_once_though_the_socket_is_held_open(
    path: Path, fake: FakeDaemon, watch: Callable[..., Watch]
) -> None:
    (ready,) = events(READY)
    watching = watch()
    fake.accept(ready).close()
    assert watching.told() == f"digitd: {path}: gone, trying again"
    pauses_s = []
    for _ in range(4):  # a daemon that ends before it is ready
        began_s = time.monotonic()
        fake.accept().close()
        pauses_s.append(time.monotonic() - began_s)
    assert pauses_s[3] > 0.6
    fake.accept(ready).close()
    assert [watching.told() for _ in range(2)] == [f"digitd: {path}: back", f"digitd: {path}: gone, trying again"]


def test_it_tries_again_after_ever_longer_pauses(path: Path) -> None:
    waited_s: list[float | None] = []
    told: list[str] = []

    def wait(_client: socket.socket | None, for_s: float | None) -> None:
        waited_s.append(for_s)
        if len(waited_s) == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        next(Follower(path, once=False, wait=wait, tell=told.append).lines())
    assert waited_s == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]
    assert (waited_s[0], waited_s[-1]) == (FIRST_PAUSE_S, LONGEST_PAUSE_S)
    assert told == ["nobody answers (No such file or directory), trying again"]


def test_the_pauses_are_short_again_once_somebody_was_there(path: Path) -> None:
    waited_s: list[float | None] = []
    daemons: list[FakeDaemon] = []

    def wait(client: socket.socket | None, for_s: float | None) -> None:
        if client is None:
            waited_s.append(for_s)
            if len(waited_s) == 4:
                daemons.append(FakeDaemon(path))
            if len(waited_s) == 6:
                raise KeyboardInterrupt
        elif path.exists():
            path.unlink()  # nobody else comes
            daemons[0].accept(b"a line\n").close()
            daemons[0].close()

    lines = Follower(path, once=False, wait=wait, tell=lambda _what: None).lines()
    assert next(lines) == b"a line"
    with pytest.raises(KeyboardInterrupt):
        next(lines)
    assert waited_s == [0.1, 0.2, 0.4, 0.8, 0.1, 0.2]


@pytest.mark.parametrize("once", [False, True])
def test_a_daemon_that_goes_before_it_has_taken_its_reader_in_is_gone(path: Path, fake: FakeDaemon, once: bool) -> None:
    told: list[str] = []

    def wait(client: socket.socket | None, _for_s: float | None) -> None:
        if client is None:
            raise KeyboardInterrupt
        fake.close()  # resets the connection that stands in its queue

    lines = Follower(path, once=once, wait=wait, tell=told.append).lines()
    with pytest.raises(StopIteration if once else KeyboardInterrupt):
        next(lines)
    assert told == ([] if once else ["gone, trying again"])


@pytest.mark.parametrize("garbage", [b"zero\n", b"{}\n", b"\xff\n", b"[" * 3000 + b"\n", b"x" * (MAX_LINE_BYTES + 1)])
def test_what_is_no_daemon_is_told(path: Path, fake: FakeDaemon, watch: Callable[..., Watch], garbage: bytes) -> None:
    watching = watch()
    with fake.accept(garbage):
        output, log = watching.finish()
    assert (watching.process.returncode, output, len(log)) == (2, [], 1)
    assert log[0].startswith(f"digitd: error: {path}: ")
    assert "is it " in log[0]


def test_a_path_that_no_socket_can_have_is_told(digitd: Digitd, tmp_path: Path) -> None:
    done = digitd("watch", tmp_path / ("x" * 120))
    assert (done.returncode, done.stderr.count("\n"), "too long" in done.stderr) == (2, 1, True)


def test_once_ends_with_the_daemon(digitd: Digitd, path: Path, fake: FakeDaemon, watch: Callable[..., Watch]) -> None:
    sent = events(READY, DIGIT, End(2.0))
    watching = watch("--once")
    fake.accept(b"".join(sent)).close()
    assert watching.finish() == ([line.decode().strip() for line in sent], [])
    assert watching.process.returncode == 0
    done = digitd("watch", "--once", path.with_name("none"))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "none: nobody answers (No such file or directory); is `digitd run` using it?" in done.stderr


@pytest.mark.parametrize(("wanted", "lines"), [("text", [*DEMO_DIGITS]), ("strings", [DEMO_DIGITS]), ("jsonl", None)])
def test_formats_are_those_of_standard_output(
    digitd: Digitd, fake: FakeDaemon, watch: Callable[..., Watch], wanted: str, lines: list[str] | None
) -> None:
    published = digitd("run", "--source", DEMO, "--sink", "stdout:jsonl").stdout
    watching = watch("--once", "--format", wanted)
    fake.accept(published.encode()).close()
    assert watching.finish() == (lines or published.splitlines(), [])
    if lines:
        assert digitd("run", "--source", DEMO, "--sink", f"stdout:{wanted}").stdout.splitlines() == lines


def test_it_ends_when_its_reader_leaves_though_nothing_comes(
    fake: FakeDaemon, path: Path, watch: Callable[..., Watch]
) -> None:
    following = watch()
    with fake.accept(events(READY)[0]):
        following.line()
        following.leave()
        assert following.process.wait(2) == 0
    fake.close()
    path.unlink()
    waiting = watch()
    waiting.told()
    waiting.leave()
    assert waiting.process.wait(2) == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
@pytest.mark.parametrize("state", ["following", "waiting", "nobody reads"])
def test_a_signal_ends_it_at_once(
    path: Path, fake: FakeDaemon, watch: Callable[..., Watch], number: signal.Signals, status: int, state: str
) -> None:
    watching = watch()
    with fake.accept() as client:
        client.sendall(events(READY)[0])
        watching.line()
        if state == "nobody reads":
            client.settimeout(0.5)
            with pytest.raises(TimeoutError):  # the pipe and both sides' buffers are full
                client.sendall(b"".join(events(READY, *[DIGIT] * 10_000)))
        elif state == "waiting":
            client.close()
            watching.told()
            time.sleep(0.5)
        began_s = time.monotonic()
        watching.process.send_signal(number)
        assert watching.process.wait(5) == status
        assert time.monotonic() - began_s < 1
    assert not any("Traceback" in line for line in watching.finish()[1])
    assert path.exists()


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_closed_stream_does_no_harm(path: Path, closed: str, fake: FakeDaemon) -> None:
    ready, late = events(READY, *[DIGIT] * 3)[::3]
    command = f"{sys.executable} -m digitd watch --once {path} {closed}"
    with subprocess.Popen(["bash", "-c", command], stdout=PIPE, stderr=PIPE, text=True) as watching:
        if closed == "2>&-":
            fake.accept(ready + late).close()
        output, log = watching.communicate(timeout=20)
    told = "digitd: error: standard output is closed; open it\n"
    assert (watching.returncode, output, log) == (
        (2, "", told) if closed == ">&-" else (0, (ready + late).decode(), "")
    )


def test_the_path_that_is_meant_where_none_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DIGITD_SOCKET", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert default_path() == SYSTEM_SOCKET
    (tmp_path / "digitd.sock").touch()
    assert default_path() == tmp_path / "digitd.sock"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert default_path() == SYSTEM_SOCKET
    monkeypatch.setenv("DIGITD_SOCKET", "named")
    assert default_path() == Path("named")


def test_the_mode_command_takes_the_path_before_behind_or_not_at_all(digitd: Digitd, path: Path) -> None:
    daemon = Daemon(path)
    assert daemon.process.stdout is not None
    daemon.process.stdout.readline()
    named = {**os.environ, "DIGITD_SOCKET": str(path)}
    for arguments in ([path, "always"], ["always", path], ["always"]):  # it is on
        done = digitd("mode", *arguments, env=named if len(arguments) == 1 else None)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = digitd("mode", "entri", env=named)
    assert (done.returncode, "did you mean 'entry'?" in done.stderr) == (2, True)
    daemon.finish()


def test_a_mode_is_no_path_unless_it_must_be(digitd: Digitd, tmp_path: Path) -> None:
    done = digitd("mode", "entry", "always", cwd=tmp_path)
    assert (done.returncode, "entry: nobody answers" in done.stderr) == (2, True)


confidences = st.floats(0, 1)
seconds = st.floats(0, 1e6)
digit_strings = st.text("0123456789", min_size=1, max_size=12)
digits = st.builds(Digit, st.sampled_from("0123456789"), confidences, seconds, seconds, seconds)
alternatives = st.lists(st.builds(Alternative, digit_strings, confidences), max_size=3).map(tuple)
strings = st.builds(
    String,
    digit_strings,
    confidences,
    seconds,
    seconds,
    seconds,
    digit_strings,
    st.booleans(),
    st.booleans(),
    alternatives,
)


@given(digits | strings, st.text())
def test_an_event_that_was_sent_is_the_event_that_came(body: Body, stream: str) -> None:
    sent = Stamp(stream).event(body)
    came = received(sent.to_json().encode()).event
    assert came is not None
    for line_of in FORMATS.values():
        assert line_of(came) == line_of(sent)


def test_what_later_versions_add_is_no_harm() -> None:
    table = json.loads(events(DIGIT)[0])
    assert received(json.dumps(table | {"more": [1]}).encode()).event is not None
    unknown = received(b'{"v":1,"type":"partial","stream":"mic","seq":4}')
    assert (unknown.type, unknown.seq, unknown.event) == ("partial", 4, None)
    for wrong in ({"v": 2}, {"digit": 7}, {"seq": True}, {"stream": None}, {"time": "now"}):
        with pytest.raises(SinkError, match="is no event of schema 1"):
            received(json.dumps(table | wrong).encode())


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_each_event_that_was_published_came_or_is_told_as_missing(history: list[tuple[bool, bool]]) -> None:
    """Of one daemon, whose reader comes and goes: for each event, whether it is there and whether that is a `ready`."""
    ledger, stamp = Ledger(), Stamp("mic")
    ready = as_received(stamp.event(READY).to_json())
    came, missing = {0}, set[int]()
    assert not list(ledger.enter(ready, waited=True))
    there_before = True
    for there, is_ready in history:
        event = as_received(stamp.event(READY if is_ready else DIGIT).to_json())
        if there and not there_before:
            missing |= told_missing(ledger.enter(ready, waited=True))
            came.add(ready.seq)
        ready = event if is_ready else ready
        if there:
            missing |= told_missing(ledger.enter(event, waited=True))
            assert event.seq not in came
            came.add(event.seq)
        there_before = there
    assert not came & missing
    assert came | missing == set(range(max(came) + 1))


def as_received(line: str) -> Received:
    return received(line.encode())


def told_missing(told: Iterator[str]) -> set[int]:
    """The numbers in what was told, which is nothing else."""
    missing: set[int] = set()
    for line in told:
        found = re.fullmatch(r"missed (\d+) events? \(seq (\d+)(?:-(\d+))?\)", line)
        assert found is not None
        first, last = int(found[2]), int(found[3] or found[2])
        assert int(found[1]) == last - first + 1
        assert not missing & set(range(first, last + 1))
        missing |= set(range(first, last + 1))
    return missing


def test_streams_have_numbers_of_their_own_and_an_end_is_followed_by_a_new_start() -> None:
    ledger = Ledger()
    a, b = Stamp("a"), Stamp("b")
    for stamp in (a, b, a, b):
        assert not list(ledger.enter(as_received(stamp.event(DIGIT).to_json()), waited=True))
    assert not list(ledger.enter(as_received(a.event(End(1.0)).to_json()), waited=True))
    a = Stamp("a")
    for _ in range(9):  # its mode was switched before it was found again
        ready = as_received(a.event(READY).to_json())
    assert list(ledger.enter(ready, waited=True)) == ["starts anew (seq 8)", "missed 8 events (seq 0-7)"]
    assert not list(ledger.enter(as_received(b.event(DIGIT).to_json()), waited=True))
