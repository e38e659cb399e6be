"""Calls over AudioSocket, through a real daemon: digits under the call's UUID, silence and keys back."""

import asyncio
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import DEMO_DIGITS
from tests.daemon.conftest import Daemon
from tests.daemon.telephony import WITHIN_S, Asterisk, Telephone, begun, demo_at, said

from digitd.daemon.telephone.audiosocket_frame import DTMF, ERROR, HANG_UP, UUID, Frame, next_frame
from digitd.daemon.telephone.call import Call, Line

Dial = Callable[..., Asterisk]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("telephony") / "calls"


@pytest.fixture(scope="module")
def daemon(path: Path) -> Iterator[Daemon]:
    with closing(begun(path)) as running:
        yield running


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Path]:
    """Where a daemon is that has not been kept busy: while it is, it lets nobody in."""
    with closing(begun(tmp_path / "calls")):
        yield tmp_path / "calls"


@pytest.fixture(scope="module")
def telephone(path: Path, daemon: Daemon) -> Iterator[Telephone]:
    """One for all calls."""
    assert daemon.process.poll() is None
    with closing(Telephone(path, "--audiosocket", "127.0.0.1:0")) as running:
        yield running


@pytest.fixture
def call(telephone: Telephone) -> Iterator[Dial]:
    with ExitStack() as stack:
        yield lambda kind=0x10, name=None: stack.enter_context(closing(Asterisk(telephone.port(), kind, name)))


@pytest.mark.parametrize(("kind", "rate_hz"), [(0x10, 8000), (0x12, 16000), (0x15, 44100), (0x16, 48000)])
def test_a_caller_is_heard(telephone: Telephone, call: Dial, daemon: Daemon, kind: int, rate_hz: int) -> None:
    caller, speech = call(kind), demo_at(rate_hz)
    caller.say(speech)
    caller.hang_up()
    events, back = telephone.call(caller.stream), caller.finished()
    assert said(events) == DEMO_DIGITS
    assert events[0]["mode"] == "entry"
    assert daemon.until(type="end", stream=caller.stream)["seq"] == events[-1]["seq"]
    assert back[-1] == Frame(HANG_UP)
    silence = [frame for frame in back if frame.kind == kind]
    assert len(silence) > 10
    assert not any(any(frame.payload) for frame in silence)
    assert {frame.kind for frame in back} == {kind, HANG_UP}


def test_a_caller_who_breaks_off_is_decided(telephone: Telephone, call: Dial) -> None:
    caller, speech = call(), demo_at(8000)
    caller.say(speech)
    caller.wait(len(speech) // 160)  # what a connection that is reset still holds would be lost
    caller.close()
    assert said(telephone.call(caller.stream)) == DEMO_DIGITS


def test_silence_comes_back_at_the_caller_s_pace_and_without_him(telephone: Telephone, call: Dial) -> None:
    caller = call()
    caller.say(np.zeros(8000, np.int16), "real time")
    caller.wait(50)
    assert [len(frame.payload) for frame in caller.came[:50]] == 50 * [320]
    began_s = time.monotonic()
    caller.wait(53)  # he sends nothing more, and Asterisk would give up after 2 s
    assert time.monotonic() - began_s < 6
    caller.hang_up()
    assert [event["type"] for event in telephone.call(caller.stream)] == ["ready", "end"]


@pytest.mark.usefixtures("daemon")
def test_keys_and_what_is_unknown_are_no_digits_and_are_not_written_down(path: Path) -> None:
    with closing(Telephone(path, "--audiosocket", "127.0.0.1:0", "--log-level", "debug")) as telephone:
        caller = Asterisk(telephone.port())
        caller.say(np.zeros(800, np.int16))
        for frame in (Frame(DTMF, b"7"), Frame(0x77, bytes(65535)), Frame(ERROR, b"\2")):
            caller.send(frame)
        caller.say(np.zeros(800, np.int16))
        caller.hang_up()
        assert [event["type"] for event in telephone.call(caller.stream)] == ["ready", "end"]
        assert {frame.kind for frame in caller.finished()} == {0x10, HANG_UP}
        line = telephone.logged("(.*) a key was pressed")
        assert "7" not in line[1].replace(caller.stream, "")
        telephone.logged("tells of an error, 02")
        telephone.logged("kind 0x77")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"GET / HTTP/1.1\r\n\r\n" + bytes(100000), "kind 0x47 and"),
        (bytes(Frame(UUID, b"short")), "and 5 bytes is no call's UUID"),
        (bytes(Frame(UUID, bytes(16))) + bytes(Frame(0x10, b"odd")), "a frame of 3 bytes"),
        (bytes(Frame(UUID, bytes(16))) + bytes(Frame(0x10, bytes(65534))), "a frame of 65534 bytes"),
        (bytes(Frame(UUID, bytes(16))) + bytes(Frame(0x10, bytes(8))) + bytes(Frame(0x12, bytes(8))), "rate changes"),
        (bytes(Frame(UUID, bytes(16))) + bytes(Frame(HANG_UP)), "hung up before any sound"),
    ],
)
def test_who_talks_otherwise_is_sent_away_alone(telephone: Telephone, call: Dial, raw: bytes, why: str) -> None:
    caller = call()
    with socket.create_connection(("127.0.0.1", telephone.port()), WITHIN_S) as stranger:
        stranger.sendall(raw)
        try:
            while stranger.recv(65536):
                pass
        except ConnectionResetError:  # he has sent more than was read
            pass
    telephone.logged(why)
    caller.say(demo_at(8000))
    caller.hang_up()
    assert said(telephone.call(caller.stream)) == DEMO_DIGITS


def test_many_call_at_once_even_under_one_uuid(idle: Path) -> None:
    name = uuid.uuid4()
    with ExitStack() as stack:
        telephone = stack.enter_context(closing(Telephone(idle, "--audiosocket", "127.0.0.1:0")))
        callers = [stack.enter_context(closing(Asterisk(telephone.port(), name=name))) for _ in range(8)]
        for caller in callers:
            caller.say(np.zeros(160, np.int16))
            assert telephone.event()["type"] == "ready"
        for begin in range(0, len(speech := demo_at(8000)), 4000):
            for caller in callers:
                caller.say(speech[begin : begin + 4000])
        for caller in callers:
            caller.hang_up()
        streams = [str(name), *(f"{name}-{n}" for n in range(2, 9))]
        assert [said(telephone.call(stream)) for stream in streams] == 8 * [DEMO_DIGITS]


@pytest.mark.usefixtures("daemon")
def test_a_caller_who_has_said_his_string_goes_on_in_the_dialplan(path: Path) -> None:
    with closing(Telephone(path, "--audiosocket", "127.0.0.1:0", "--one-string")) as telephone:
        caller = Asterisk(telephone.port())
        caller.say(np.append(demo_at(8000), np.zeros(16000, np.int16)))
        assert caller.finished()[-1] == Frame(HANG_UP)
        events = telephone.call(caller.stream)
        assert [event["digits"] for event in events if event["type"] == "string"] == [DEMO_DIGITS]


def test_a_call_more_than_there_are_places_for_is_hung_up(idle: Path) -> None:
    with closing(Telephone(idle, "--audiosocket", "127.0.0.1:0", "--calls", "1")) as telephone:
        first = Asterisk(telephone.port())
        first.say(np.zeros(800, np.int16))
        telephone.logged("begins")
        second = Asterisk(telephone.port())
        second.finished()
        telephone.logged("no place")
        first.hang_up()
        assert telephone.call(first.stream)[-1]["type"] == "end"
        first.finished()


def test_those_who_came_in_together_are_no_more_calls_than_there_are_places_for(idle: Path) -> None:
    with closing(Telephone(idle, "--audiosocket", "127.0.0.1:0", "--calls", "2")) as telephone, ExitStack() as stack:
        first = stack.enter_context(closing(Asterisk(telephone.port())))
        first.say(np.zeros(800, np.int16))
        assert telephone.event()["type"] == "ready"
        second, third = (stack.enter_context(closing(Asterisk(telephone.port()))) for _ in range(2))
        third.wait(1)  # both are let in: there is one place left, and neither has taken it yet
        second.say(np.zeros(800, np.int16))
        assert telephone.event()["type"] == "ready"
        with suppress(ConnectionError):  # hung up on after the first frame
            third.say(np.zeros(800, np.int16))
        assert third.finished()[-1] == Frame(HANG_UP)
        telephone.logged(f"{third.stream}: no place")


@pytest.mark.usefixtures("daemon")
def test_a_stop_decides_what_was_said_and_hangs_up(path: Path) -> None:
    with closing(Telephone(path, "--audiosocket", "127.0.0.1:0")) as telephone:
        caller = Asterisk(telephone.port())
        caller.say(demo_at(8000))
        while telephone.event()["type"] != "digit":
            pass
        telephone.process.terminate()
        assert caller.finished()[-1] == Frame(HANG_UP)
        assert said(telephone.call(caller.stream))
        telephone.finish()


def test_calls_outlive_the_daemon_and_without_one_are_hung_up(tmp_path: Path) -> None:
    path = tmp_path / "calls"
    with closing(Telephone(path, "--audiosocket", "127.0.0.1:0")) as telephone:
        lonely = Asterisk(telephone.port())
        lonely.say(np.zeros(800, np.int16))
        assert lonely.finished()[-1] == Frame(HANG_UP)
        telephone.logged("nobody answers")
        with closing(begun(path)) as first:
            caller = Asterisk(telephone.port())
            caller.say(demo_at(8000))
            first.until(type="digit", stream=caller.stream)
            first.close()
            telephone.logged("it waits")
        path.unlink()
        with closing(begun(path)) as second:
            while second.says_nothing(0.1):
                caller.say(np.zeros(160, np.int16))
            caller.say(demo_at(8000))
            caller.hang_up()
            events = [second.event()]
            while events[-1]["type"] != "end":
                events.append(second.event())
            assert said(events) == DEMO_DIGITS
            caller.finished()


def test_a_daemon_is_waited_for_from_when_it_goes_however_long_nothing_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that goes in the midst of a silence."""
    monkeypatch.setattr("digitd.daemon.telephone.call.PATIENCE_S", 1.0)
    path = tmp_path / "calls"

    async def converse() -> None:
        came: asyncio.Queue[None] = asyncio.Queue()

        async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(b'{"v":1,"type":"accepted","stream":"a"}\n')
            writer.write(b'{"v":1,"type":"later","seq":0,"stream":"a","time":"2026-01-01T00:00:00.000Z"}\n')
            await came.put(None)
            await reader.read(1)
            writer.close()

        async with await asyncio.start_unix_server(hear, path):
            call = Call("a", 8000, Line(path, "entry"), lambda _: None)
            running = asyncio.create_task(call.run())
            await came.get()
            await asyncio.sleep(1.5)  # longer than it is waited for
            await call.hear(bytes(320))  # which ends the daemon
            again = asyncio.create_task(came.get())
            await asyncio.wait([running, again], timeout=WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
            assert again.done()
            call.end()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(converse())


@given(st.lists(st.builds(Frame, st.integers(0, 255), st.binary(max_size=500)), max_size=8), st.data())
def test_frames_come_out_as_they_were_however_they_are_cut(frames: list[Frame], data: st.DataObject) -> None:
    raw = b"".join(map(bytes, frames)) + data.draw(st.sampled_from([b"", b"\x10", b"\x10\0\4cut"]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=20)))

    async def read() -> list[Frame]:
        reader = asyncio.StreamReader()

        async def feed() -> None:
            for begin, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
                reader.feed_data(raw[begin:end])
                await asyncio.sleep(0)
            reader.feed_eof()

        feeding = asyncio.create_task(feed())
        came = [await next_frame(reader) for _ in frames]
        with pytest.raises(EOFError):
            await next_frame(reader)
        await feeding
        return came

    assert asyncio.run(read()) == frames
