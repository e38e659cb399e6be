"""Streams that come over a socket: heard together, each as if it were alone; let in, or told why not."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import DEMO, DEMO_DIGITS
from tests.daemon.conftest import Daemon

from digitd.daemon.audio import Samples
from digitd.daemon.callers.caller import MAX_WAITING_BYTES, Caller
from digitd.daemon.callers.greeting import Greeting, greeted
from digitd.daemon.callers.room import LONGEST_ROUND_S, NEWCOMERS, PACE_S, Room
from digitd.daemon.errors import ConfigError

Start = Callable[..., Daemon]


class Call:
    """One that calls, and what he is told."""

    def __init__(self, path: Path, greeting: str = "{}") -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        self.send(greeting.encode() + b"\n")
        self.lines = self.socket.makefile("rb")
        self.answer = self.told()

    def told(self) -> dict[str, Any]:
        """The next line."""
        line: dict[str, Any] = json.loads(self.lines.readline() or b"{}")
        return line

    def send(self, raw: bytes) -> None:
        """Some of what he says."""
        self.socket.sendall(raw)

    def finish(self) -> list[dict[str, Any]]:
        """All events, once nothing more is said."""
        self.socket.shutdown(socket.SHUT_WR)
        return [json.loads(line) for line in self.lines]

    def close(self) -> None:
        """Hang up."""
        self.lines.close()
        self.socket.close()


Phone = Callable[..., Call]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls"


@pytest.fixture
def start(path: Path) -> Iterator[Start]:
    started: list[Daemon] = []

    def run(*flags: str) -> Daemon:
        started.append(Daemon(*flags, source=f"unix:{path}"))
        until_s = time.monotonic() + 20
        while not path.exists():
            assert time.monotonic() < until_s
            time.sleep(0.01)
        return started[-1]

    yield run
    for daemon in started:
        daemon.close()


@pytest.fixture
def call(path: Path) -> Iterator[Callable[..., Call]]:
    """Callers who hang up in the end."""
    with ExitStack() as stack:

        def begin(greeting: str = "{}") -> Call:
            return stack.enter_context(closing(Call(path, greeting)))

        yield begin


@pytest.fixture
def pcm(demo: Samples) -> bytes:
    return np.round(demo * 32768).astype("<i2").tobytes()


def said(events: list[dict[str, Any]]) -> str:
    return "".join(event["digit"] for event in events if event["type"] == "digit")


def alike(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What does not hang on the clock or the name."""
    return [{key: value for key, value in event.items() if key not in ("time", "stream", "source")} for event in events]


def placed(event: dict[str, Any]) -> tuple[Any, ...]:
    """What is told, and where in the stream; the last place of a confidence hangs on who is computed beside him."""
    return tuple(event.get(key) for key in ("type", "seq", "digit", "digits", "guess", "start_s", "end_s", "emitted_s"))


def test_a_stream_is_heard_as_the_file_is(start: Start, call: Phone, path: Path, pcm: bytes) -> None:
    daemon = start()
    caller = call('{"stream":"kitchen"}')
    assert caller.answer == {"v": 1, "type": "accepted", "stream": "kitchen"}
    caller.send(pcm)
    events = caller.finish()
    assert said(events) == DEMO_DIGITS
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert {event["stream"] for event in events} == {"kitchen"}
    assert (events[0]["type"], events[0]["source"], events[-1]["type"]) == ("ready", f"unix:{path}", "end")
    alone = Daemon(source=str(DEMO))
    assert alike(events) == alike([alone.event() for _ in events])
    assert alike([daemon.event() for _ in events]) == alike(events)
    alone.close()


def test_many_at_once_are_each_heard_as_if_alone(start: Start, call: Phone, pcm: bytes) -> None:
    start()
    calls = [call() for _ in range(12)]
    assert [each.answer["stream"] for each in calls] == [f"stream-{n}" for n in range(1, 13)]
    heard: list[list[dict[str, Any]]] = [[] for _ in calls]

    def speak(n: int) -> None:
        for begin in range(0, len(pcm), 1000 + 3001 * n):  # pieces that cut samples too
            calls[n].send(pcm[begin : begin + 1000 + 3001 * n])
        heard[n] = calls[n].finish()

    speaking = [threading.Thread(target=speak, args=(n,)) for n in range(len(calls))]
    for thread in speaking:
        thread.start()
    for thread in speaking:
        thread.join()
    assert [said(events) for events in heard] == [DEMO_DIGITS] * 12
    for events in heard[1:]:
        assert [placed(event) for event in events] == [placed(event) for event in heard[0]]


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [
        ("hello", "is no JSON object"),
        ('{"rate_hz":10}', "rate_hz: 10 is out of range"),
        ('{"mode":"loud"}', "'loud' must be one of"),
        ('{"strem":"x"}', "did you mean 'stream'?"),
        ('{"stream":"a\\u0007"}', "printable"),
        ('{"stream":"' + 5000 * "x" + '"}', "longer than 4096 bytes"),
    ],
)
def test_who_greets_wrongly_is_told_why(start: Start, call: Phone, greeting: str, reason: str) -> None:
    start()
    caller = call(greeting)
    assert caller.answer["type"] == "refused"
    assert reason in caller.answer["reason"]
    assert caller.lines.readline() == b""
    assert call().answer["type"] == "accepted"


def test_a_name_is_one_stream_s_until_that_ends(start: Start, call: Phone) -> None:
    start()
    first = call('{"stream":"a"}')
    assert "another name" in call('{"stream":"a"}').answer["reason"]
    assert [event["type"] for event in first.finish()] == ["ready", "end"]
    assert call('{"stream":"a"}').answer["type"] == "accepted"


def test_as_many_as_wanted_are_heard_and_no_more(start: Start, call: Phone, tmp_path: Path, pcm: bytes) -> None:
    settings = tmp_path / "digitd.toml"
    settings.write_text("[streams]\nmost = 2\n")
    start("--config", str(settings))
    first, second = call(), call()
    refused = call()
    assert refused.answer["reason"].startswith("2 streams are heard")
    second.send(pcm)
    assert said(second.finish()) == DEMO_DIGITS
    third = call()
    third.send(pcm)
    assert said(third.finish()) == DEMO_DIGITS
    first.close()


def test_a_mode_of_one_s_own_outlives_a_switch(start: Start, call: Phone) -> None:
    daemon = start()
    own, other = call('{"mode":"always"}'), call()
    assert own.told()["mode"] == other.told()["mode"] == "always"
    daemon.process.send_signal(10)  # SIGUSR1
    assert other.told()["mode"] == "entry"
    assert [event["type"] for event in own.finish()] == ["end"]


def test_a_sample_that_is_cut_ends_its_stream_alone(start: Start, call: Phone, pcm: bytes) -> None:
    daemon = start()
    cut, whole = call(), call()
    cut.send(pcm + b"x")
    events = cut.finish()
    assert said(events) == DEMO_DIGITS
    assert [event["type"] for event in events[-2:]] == ["refused", "end"]
    assert "1 bytes into a frame of 2" in events[-2]["reason"]
    whole.send(pcm)
    assert said(whole.finish()) == DEMO_DIGITS
    assert daemon.process.poll() is None


def test_who_leaves_or_does_not_read_holds_nobody_up(start: Start, call: Phone, pcm: bytes) -> None:
    daemon = start()
    gone, sleeper, speaker = call(), call(), call()
    gone.send(pcm[:20000])
    gone.close()
    sending = threading.Thread(
        target=sleeper.send, args=(40 * pcm,), daemon=True
    )  # some 1,300 digits that he never reads
    sending.start()
    for _ in range(4):
        speaker.send(pcm)
    assert said(speaker.finish()) == 4 * DEMO_DIGITS
    sending.join(60)
    assert not sending.is_alive()
    assert daemon.process.poll() is None


def test_who_reads_nothing_is_told_nothing_more_and_his_stream_ends() -> None:
    ours, his = socket.socketpair()
    with his, closing(Caller(ours)) as caller:
        while next(caller.blocks(threading.Event()), None) is not None:
            caller.send(1000 * b"x" + b"\n")
        assert len(his.recv(16 * MAX_WAITING_BYTES, socket.MSG_PEEK)) > 1000  # what the kernel had taken he still gets


def test_who_calls_a_daemon_that_has_waited_long_finds_room(start: Start, call: Phone) -> None:
    start()
    time.sleep(2.0)  # rounds of an empty daemon are told as well
    assert [call().answer["type"] for _ in range(4)] == 4 * ["accepted"]


def test_a_stop_ends_all_streams_and_tells_them(start: Start, call: Phone, path: Path, pcm: bytes) -> None:
    daemon = start()
    caller = call()
    caller.send(pcm)
    while caller.told()["type"] != "digit":
        pass
    daemon.process.terminate()
    assert json.loads(list(caller.lines)[-1])["type"] == "end"
    assert daemon.process.wait(10) == 0
    assert not path.exists()


def test_several_sources_are_heard_at_once(start: Start, call: Phone, pcm: bytes) -> None:
    daemon = start("--source", str(DEMO), "--source", str(DEMO))
    caller = call()
    caller.send(pcm)
    assert said(caller.finish()) == DEMO_DIGITS
    heard: dict[str, list[dict[str, Any]]] = {}
    while sum(events[-1]["type"] == "end" for events in heard.values()) < 3:
        event = daemon.event()
        heard.setdefault(event["stream"], []).append(event)
    assert {name: said(events) for name, events in heard.items()} == dict.fromkeys(
        [DEMO.name, f"{DEMO.name}-2", "stream-1"], DEMO_DIGITS
    )
    assert all([event["seq"] for event in events] == list(range(len(events))) for events in heard.values())


@given(st.binary(max_size=200))
def test_any_first_line_is_a_greeting_or_refused(line: bytes) -> None:
    told: Greeting | ConfigError
    try:
        told = greeted(line)
    except ConfigError as error:
        told = error
    assert isinstance(told, Greeting) or "\n" not in str(told)


def test_there_is_room_while_rounds_are_short() -> None:
    room = Room(0, 1000)
    for _ in range(200):
        room.note(0.9 * LONGEST_ROUND_S, 0.03)
    assert room.refusal(100) == ""
    assert "room for no more" in room.refusal(5)  # one more of five is a fifth more
    assert room.refusal(0) == ""
    for _ in range(200):
        room.note(0.1 * LONGEST_ROUND_S, 0.03)
    assert room.refusal(5) == ""


def test_newcomers_are_let_in_by_and_by() -> None:
    room = Room(0, 1000)
    for n in range(NEWCOMERS):
        assert room.is_open(0.0)
        assert room.refusal(n) == ""
    assert not room.is_open(PACE_S / 2)
    assert room.is_open(PACE_S)


def test_no_more_than_the_process_can_hold() -> None:
    assert Room(0, 3).refusal(2) == ""
    assert "3 streams are heard" in Room(0, 3).refusal(3)
    assert "3 streams are heard" in Room(10, 3).refusal(3)
