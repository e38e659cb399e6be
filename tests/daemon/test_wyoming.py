"""`digitd wyoming`: the protocol's own client asks, a daemon hears; who misbehaves disturbs nobody."""

import asyncio
import os
import signal
import socket
import subprocess
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conftest import DEMO_DIGITS
from tests.daemon.conftest import COMMAND, Daemon

from digitd.daemon.audio import Samples
from digitd.daemon.errors import ConfigError

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # `audioop`, which the library takes for as long as it is there
    from wyoming.asr import Transcribe
    from wyoming.audio import AudioChunk, AudioStart, AudioStop
    from wyoming.client import AsyncClient
    from wyoming.event import Event
    from wyoming.info import Describe, Info
    from wyoming.ping import Ping

    from digitd.daemon.wyoming.address import Address, addressed, bound, listening, local
    from digitd.daemon.wyoming.conversation import Manner
    from digitd.daemon.wyoming.discovery import announceable
    from digitd.daemon.wyoming.ear import Ear
    from digitd.daemon.wyoming.inbox import MAX_EVENT_BYTES, MAX_LINE_BYTES, Inbox
    from digitd.daemon.wyoming.limits import Limits
    from digitd.daemon.wyoming.refusal import RefusedError
    from digitd.daemon.wyoming.server import Server
    from digitd.daemon.wyoming.sound import Converter, Sound

WITHIN_S = 30.0
RATE_HZ = 16000
STREAMED = ["transcript-start", *["transcript-chunk"] * len(DEMO_DIGITS), "transcript", "transcript-stop"]


class Service:
    """`digitd wyoming`, and where it is."""

    def __init__(self, path: Path, *flags: str) -> None:
        command = [*COMMAND, "wyoming", str(path), "--log-level", "info", *flags]
        if "--uri" not in flags:
            command += ["--uri", "tcp://127.0.0.1:0"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
        assert self.process.stdout is not None
        self.uri = self.process.stdout.readline().strip()

    def stop(self) -> str:
        """End it by SIGTERM; its log."""
        self.process.terminate()
        _, log = self.process.communicate(timeout=WITHIN_S)
        assert self.process.returncode == 0, log
        return log

    def close(self) -> None:
        """Kill it if it still runs."""
        self.process.kill()
        self.process.communicate()


Serve = Callable[..., Service]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audio"


@pytest.fixture
def hear(path: Path) -> Iterator[Callable[..., Daemon]]:
    """A daemon at the audio socket."""
    with ExitStack() as stack:

        def start(*flags: str) -> Daemon:
            daemon = stack.enter_context(closing(Daemon(*flags, source=f"unix:{path}")))
            until_s = time.monotonic() + WITHIN_S
            while not _answers(path):
                assert time.monotonic() < until_s
                time.sleep(0.02)
            return daemon

        yield start


@pytest.fixture
def serve(path: Path) -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda *flags: stack.enter_context(closing(Service(path, *flags)))


@pytest.fixture
def pcm(demo: Samples) -> bytes:
    return np.round(demo * 32768).astype("<i2").tobytes()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex(str(path)) == 0


def run(conversation: Any) -> Any:
    return asyncio.run(asyncio.wait_for(conversation, WITHIN_S))


async def say(
    client: AsyncClient, pcm: bytes, rate_hz: int = RATE_HZ, width: int = 2, channels: int = 1, piece_bytes: int = 2048
) -> None:
    """As Home Assistant says it."""
    await client.write_event(Transcribe(language="en").event())
    await client.write_event(AudioStart(rate_hz, width, channels).event())
    for at in range(0, len(pcm), piece_bytes):
        await client.write_event(AudioChunk(rate_hz, width, channels, pcm[at : at + piece_bytes]).event())
    await client.write_event(AudioStop().event())


async def answer(client: AsyncClient, last: str = "transcript-stop") -> list[Event]:
    """All events up to one of a type, or to an error."""
    events: list[Event] = []
    while not events or events[-1].type not in (last, "error"):
        event = await client.read_event()
        assert event is not None, events
        events.append(event)
    return events


def text(events: list[Event]) -> str:
    (told,) = [event.data["text"] for event in events if event.type == "transcript"]
    assert isinstance(told, str)
    return told


def pieces(events: list[Event]) -> list[str]:
    return [event.data["text"] for event in events if event.type == "transcript-chunk"]


async def asked(uri: str, pcm: bytes, **sound: int) -> list[Event]:
    async with AsyncClient.from_uri(uri) as client:
        await say(client, pcm, **sound)
        return await answer(client)


async def refused(client: AsyncClient, *events: Event) -> tuple[str, str]:
    """The code and the text that events are answered with, after which the connection ends."""
    for event in events:
        await client.write_event(event)
    error = (await answer(client))[-1]
    assert error.type == "error"
    assert await client.read_event() is None
    return error.data["code"], error.data["text"]


def test_it_tells_what_it_is_and_answers_one_utterance_after_the_other(
    hear: Callable[..., Daemon], serve: Serve, pcm: bytes
) -> None:
    hear()
    service = serve()

    async def converse() -> None:
        async with AsyncClient.from_uri(service.uri) as client:
            await client.write_event(Describe().event())
            (program,) = Info.from_event((await answer(client, "info"))[0]).asr
            assert (program.name, program.installed, program.supports_transcript_streaming) == ("digitd", True, True)
            assert [(model.name, model.languages) for model in program.models] == [("stranger", ["en"])]
            await client.write_event(Ping("are you there?").event())
            assert (await answer(client, "pong"))[0].data == {"text": "are you there?"}
            for _ in range(2):
                await say(client, pcm)
                events = await answer(client)
                assert [event.type for event in events] == STREAMED
                assert text(events) == "".join(pieces(events)) == DEMO_DIGITS
            await say(client, bytes(2 * RATE_HZ * 2))
            silence = await answer(client)
            assert [event.type for event in silence] == ["transcript-start", "transcript", "transcript-stop"]
            assert text(silence) == ""
            await client.write_event(AudioStop().event())
            assert text(await answer(client)) == ""
            await say(client, pcm)
            assert text(await answer(client)) == DEMO_DIGITS

    run(converse())
    assert service.stop() == ""


def test_digits_come_while_they_are_said(hear: Callable[..., Daemon], serve: Serve, pcm: bytes) -> None:
    hear()
    service = serve()

    async def converse() -> list[Event]:
        async with AsyncClient.from_uri(service.uri) as client:
            for at in range(0, len(pcm), 3200):
                await client.write_event(AudioChunk(RATE_HZ, 2, 1, pcm[at : at + 3200]).event())
            events = await answer(client, "transcript-chunk")  # though no audio-stop was sent
            await client.write_event(AudioStop().event())
            return events + await answer(client)

    events = run(converse())
    assert [event.type for event in events] == STREAMED
    assert text(events) == DEMO_DIGITS


def test_an_answer_comes_at_once(serve: Serve) -> None:
    service = serve()

    async def taken_s() -> float:
        async with AsyncClient.from_uri(service.uri) as client:
            began_s = time.perf_counter()
            for _ in range(10):
                await client.write_event(Ping("there?").event())
                await answer(client, "pong")
            return (time.perf_counter() - began_s) / 10

    assert min(run(taken_s()) for _ in range(5)) < 0.03  # it is 0.04 where TCP holds back what is small


def layout(demo: Samples, rate_hz: int, width: int, channels: int) -> bytes:
    """The demo, laid out in another way."""
    import soxr

    samples = soxr.resample(demo, RATE_HZ, rate_hz)
    full = 2 ** (8 * width - 1)
    whole = np.clip(np.round(samples * full), -full, full - 1).astype("<i8") + (128 if width == 1 else 0)
    raw = whole[:, None].view(np.uint8)[:, :width]
    return np.repeat(raw[:, None], channels, axis=1).tobytes()


@pytest.mark.parametrize(
    ("rate_hz", "width", "channels", "piece_bytes"),
    [(8000, 2, 1, 2048), (48000, 2, 2, 4096), (44100, 2, 1, 1000), (16000, 4, 1, 2048), (16000, 3, 2, 1001)],
)
def test_any_layout_is_heard(
    hear: Callable[..., Daemon],
    serve: Serve,
    demo: Samples,
    rate_hz: int,
    width: int,
    channels: int,
    piece_bytes: int,
) -> None:
    hear()
    raw = layout(demo, rate_hz, width, channels)
    sound = {"rate_hz": rate_hz, "width": width, "channels": channels, "piece_bytes": piece_bytes}
    assert text(run(asked(serve().uri, raw, **sound))) == DEMO_DIGITS


@given(
    st.integers(1, 4), st.integers(1, 2), st.binary(max_size=200), st.lists(st.integers(1, 50), min_size=1, max_size=20)
)
def test_however_it_is_cut_the_same_samples_are_passed_on(
    width: int, channels: int, raw: bytes, lengths: list[int]
) -> None:
    sound = Sound(RATE_HZ, width, channels)
    whole, cut = Converter(sound), Converter(sound)
    expected, got, at = whole.pcm16(raw), b"", 0
    while at < len(raw):
        got += cut.pcm16(raw[at : at + lengths[0]])
        at, lengths = at + lengths[0], lengths[1:] + lengths[:1]
    assert got == expected
    assert len(expected) // 2 == len(raw) // (width * channels) * channels
    assert whole.rest_bytes == cut.rest_bytes == len(raw) % (width * channels)


def test_it_writes_as_it_is_told_to(hear: Callable[..., Daemon], serve: Serve, tmp_path: Path, pcm: bytes) -> None:
    hear()
    uri = f"unix://{tmp_path / 'service'}"
    spaced = serve("--spaced", "--uri", uri)
    assert spaced.uri == uri
    events = run(asked(uri, pcm))
    assert text(events) == "".join(pieces(events)) == " ".join(DEMO_DIGITS)
    spaced.stop()
    assert not (tmp_path / "service").exists()

    async def plain(uri: str) -> list[Event]:
        async with AsyncClient.from_uri(uri) as client:
            await say(client, pcm)
            return await answer(client, "transcript")

    assert [event.type for event in run(plain(serve("--no-streaming").uri))] == ["transcript"]


def test_many_are_answered_at_once(hear: Callable[..., Daemon], serve: Serve, pcm: bytes) -> None:
    daemon, service = hear(), serve()

    async def all_ask() -> list[list[Event]]:
        return list(await asyncio.gather(*[asked(service.uri, pcm, piece_bytes=500 + 777 * n) for n in range(12)]))

    assert [text(events) for events in run(all_ask())] == [DEMO_DIGITS] * 12
    service.stop()
    streams = {event["stream"] for event in daemon.stop()[0] if event["type"] == "string"}
    assert len(streams) == 12
    assert all(stream.startswith("wyoming-") for stream in streams)


def chunk(rate: Any = RATE_HZ, width: Any = 2, channels: Any = 1) -> Event:
    return Event("audio-chunk", {"rate": rate, "width": width, "channels": channels}, bytes(640))


BAD: list[tuple[list[Event], str, str]] = [
    ([chunk(rate=10)], "format", "rate = 10 must be a number from 1000 to 768000"),
    ([chunk(rate="loud")], "format", "rate = 'loud'"),
    ([chunk(width=8)], "format", "width = 8"),
    ([chunk(channels=True)], "format", "channels = True"),
    ([Event("audio-start")], "format", "audio-start: rate = None"),
    ([chunk(), chunk(rate=8000)], "format", "8000 Hz, 2 bytes, 1 channels in an utterance that began with 16000"),
    ([AudioStart(16000, 2, 1).event()] * 2, "order", "audio-stop in between"),
    ([Transcribe(language="de").event()], "language", "ask for 'en'"),
    ([Transcribe(name="whisper").event()], "model", "ask for 'stranger'"),
    ([Event("audio-chunk", payload=bytes(MAX_EVENT_BYTES + 1))], "too-large", f"{MAX_EVENT_BYTES + 1} bytes"),
]
RAW_BAD = [
    (b"GET / HTTP/1.1\r\n\r\n", "not-an-event"),
    (b"[]\n", "not-an-event"),
    (b'{"data":{}}\n', "not-an-event"),
    (b'{"type":"ping","data":5}\n', "not-an-event"),
    (b'{"type":"ping","data_length":"5"}\n', "not-an-event"),
    (b'{"type":"ping","data_length":2}\n{]', "not-an-event"),
    (b'{"type":"ping","data":{"text":"\\ud800"}}\n', "not-an-event"),
    (b"[" * 60000 + b"\n", "not-an-event"),
    (b"x" * (MAX_LINE_BYTES + 1), "too-large"),
    (b'{"type":"audio-chunk","payload_length":1000000000000}\n', "too-large"),
]


def test_who_sends_what_cannot_be_heard_is_told_and_disturbs_nobody(
    hear: Callable[..., Daemon], serve: Serve, pcm: bytes
) -> None:
    hear()
    service = serve()

    async def misbehave() -> None:
        for events, code, reason in BAD:
            async with AsyncClient.from_uri(service.uri) as client:
                told = await refused(client, *events)
                assert (told[0], reason in told[1]) == (code, True), told
        for raw, code in RAW_BAD:
            async with AsyncClient.from_uri(service.uri) as client:
                assert client._writer is not None
                client._writer.write(raw)
                assert (await refused(client))[0] == code, raw[:50]

    async def leave() -> None:
        for events in ([], [chunk()], [Describe().event()], [AudioStart(16000, 2, 1).event(), chunk()]):
            client = AsyncClient.from_uri(service.uri)
            await client.connect()
            for event in events:
                await client.write_event(event)
            assert client._writer is not None
            client._writer.transport.abort()

    async def converse() -> str:
        async with AsyncClient.from_uri(service.uri) as client:
            for at in range(0, len(pcm), 3200):
                await client.write_event(AudioChunk(RATE_HZ, 2, 1, pcm[at : at + 3200]).event())
                if at == 32000:
                    await misbehave()
                    await leave()
            await client.write_event(AudioStop().event())
            return text(await answer(client))

    assert run(converse()) == DEMO_DIGITS
    log = service.stop()
    assert "Traceback" not in log
    assert "never retrieved" not in log


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([each[0] for each in RAW_BAD])), max_size=4))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_any_bytes_are_events_or_refused_and_end(pieces: list[bytes]) -> None:
    async def read() -> None:
        reader = asyncio.StreamReader(limit=MAX_LINE_BYTES)
        reader.feed_data(b"".join(pieces))
        reader.feed_eof()
        inbox = Inbox(reader)
        while (event := await inbox.next(5.0)) is not None:
            assert isinstance(event.type, str)

    with suppress(RefusedError):
        run(read())


def test_a_daemon_that_goes_is_told_of_and_heard_again_when_it_is_back(
    hear: Callable[..., Daemon], serve: Serve, path: Path, pcm: bytes
) -> None:
    service = serve()

    async def ask(event: Event) -> tuple[str, str]:
        async with AsyncClient.from_uri(service.uri) as client:
            return await refused(client, event, chunk())

    assert service.process.stderr is not None
    assert "clients are told so until there is one" in service.process.stderr.readline()
    for event in (Describe().event(), chunk()):
        code, reason = run(ask(event))
        assert (code, str(path) in reason) == ("recogniser", True)

    async def broken(stop: Callable[[Daemon], None]) -> str:
        daemon = hear()
        async with AsyncClient.from_uri(service.uri) as client:
            await client.write_event(AudioChunk(RATE_HZ, 2, 1, pcm).event())
            await answer(client, "transcript-chunk")
            stop(daemon)
            while daemon.process.poll() is None:
                await asyncio.sleep(0.01)
            code, _ = await refused(client, chunk(), AudioStop().event())
        return code

    for stop in (lambda daemon: daemon.process.kill(), lambda daemon: daemon.process.terminate()):
        assert run(broken(stop)) == "recogniser"
        hear_again = hear()
        assert text(run(asked(service.uri, pcm))) == DEMO_DIGITS
        hear_again.stop()
    log = service.stop()
    assert "WARNING" in log
    assert "Traceback" not in log


def test_a_service_that_ends_answers_what_was_said(hear: Callable[..., Daemon], serve: Serve, pcm: bytes) -> None:
    hear()
    service = serve()

    async def converse() -> list[Event]:
        async with AsyncClient.from_uri(service.uri) as silent, AsyncClient.from_uri(service.uri) as client:
            await client.write_event(AudioChunk(RATE_HZ, 2, 1, pcm).event())
            events = await answer(client, "transcript-chunk")
            service.process.terminate()
            events += await answer(client)
            assert await client.read_event() is None
            assert await silent.read_event() is None
            return events

    events = run(converse())
    assert "".join(pieces(events)) == text(events) == DEMO_DIGITS
    service.process.communicate(timeout=WITHIN_S)
    assert service.process.returncode == 0
    again = serve()
    assert text(run(asked(again.uri, pcm))) == DEMO_DIGITS


def test_a_service_that_ends_cuts_off_who_lingers_without_a_trace(hear: Callable[..., Daemon], serve: Serve) -> None:
    hear()
    service = serve()

    async def linger() -> str:
        async with AsyncClient.from_uri(service.uri) as client:
            await client.write_event(AudioStart(5, 2, 1).event())
            assert (await answer(client))[-1].type == "error"
            return await asyncio.to_thread(service.stop)

    log = run(linger())
    assert "Traceback" not in log


def test_one_that_is_killed_leaves_no_stream_behind(hear: Callable[..., Daemon], serve: Serve, pcm: bytes) -> None:
    daemon, service = hear(), serve()

    async def converse() -> None:
        async with AsyncClient.from_uri(service.uri) as client:
            await client.write_event(AudioChunk(RATE_HZ, 2, 1, pcm).event())
            await answer(client, "transcript-chunk")
            service.process.kill()
            while await client.read_event() is not None:
                pass

    run(converse())
    assert DEMO_DIGITS.startswith(daemon.until(type="string")["digits"])  # what is open is decided
    daemon.until(type="end")
    assert text(run(asked(serve().uri, pcm))) == DEMO_DIGITS


def test_what_was_sent_before_a_service_ends_is_heard(hear: Callable[..., Daemon], serve: Serve, pcm: bytes) -> None:
    hear()
    service = serve()

    async def converse() -> list[Event]:
        async with AsyncClient.from_uri(service.uri) as client:
            await client.write_event(Ping().event())
            await answer(client, "pong")
            await say(client, 3 * pcm)
            service.process.terminate()
            return await answer(client)

    assert text(run(converse())) == 3 * DEMO_DIGITS


def test_who_only_stops_sending_is_answered(hear: Callable[..., Daemon], serve: Serve, pcm: bytes) -> None:
    hear()
    service = serve()

    async def converse() -> str:
        async with AsyncClient.from_uri(service.uri) as client:
            await client.write_event(AudioChunk(RATE_HZ, 2, 1, pcm).event())
            assert client._writer is not None
            client._writer.write_eof()
            return text(await answer(client))

    assert run(converse()) == DEMO_DIGITS


def test_no_more_than_wanted_are_let_in(hear: Callable[..., Daemon], serve: Serve, pcm: bytes) -> None:
    hear()
    service = serve("--clients", "2")

    async def converse() -> None:
        async with AsyncClient.from_uri(service.uri) as first, AsyncClient.from_uri(service.uri) as second:
            for client in (first, second):
                await client.write_event(Ping().event())
                await answer(client, "pong")
            async with AsyncClient.from_uri(service.uri) as third:
                assert (await refused(third))[0] == "full"
            await say(first, pcm)
            assert text(await answer(first)) == DEMO_DIGITS
        events: list[Event] = []
        while not events or events[-1].type == "error":  # until the service has seen that they left
            events = await asked(service.uri, pcm)
        assert text(events) == DEMO_DIGITS

    run(converse())


async def ask_and_never_read(uri: str) -> None:
    async with AsyncClient.from_uri(uri) as client:
        while True:
            await client.write_event(Ping(50000 * "x").event())


@asynccontextmanager
async def served(path: Path, limits: Limits) -> AsyncIterator[str]:
    """A service in this process, with limits of its own."""
    begun = asyncio.Event()
    with listening(Address("127.0.0.1"), anyone=False) as listener:
        server = Server(Ear(path, "entry"), Manner(), limits)
        running = asyncio.create_task(server.run(listener, begun.set))
        await begun.wait()
        yield str(local(listener))
        os.kill(os.getpid(), signal.SIGTERM)
        await running


def test_who_is_silent_or_does_not_read_has_to_go(hear: Callable[..., Daemon], path: Path, pcm: bytes) -> None:
    daemon = hear()

    async def converse() -> None:
        async with served(path, Limits(idle_s=0.3, stall_s=0.3, linger_s=0.3, close_s=0.3)) as uri:
            async with AsyncClient.from_uri(uri) as idle:
                assert (await refused(idle))[0] == "timeout"
            async with AsyncClient.from_uri(uri) as silent:
                assert (await refused(silent, chunk()))[0] == "timeout"
            async with AsyncClient.from_uri(uri) as slow:
                assert slow._writer is not None
                slow._writer.write(b'{"type":"audio-chunk","payload_length":100}\n123')
                assert (await refused(slow))[0] == "timeout"
            with pytest.raises(ConnectionError):
                await ask_and_never_read(uri)
            assert text(await asked(uri, pcm)) == DEMO_DIGITS

    run(converse())
    events, _ = daemon.stop()
    assert {event["stream"] for event in events if event["type"] == "ready"} == {
        event["stream"] for event in events if event["type"] == "end"
    }


def test_a_daemon_that_does_not_answer_is_not_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("ear", "utterance"):
        monkeypatch.setattr(f"digitd.daemon.wyoming.{module}.ANSWER_S", 0.3)

    async def converse() -> None:
        async with served(path, Limits()) as uri:
            for events in ([Describe().event()], [chunk(), AudioStop().event()], 40 * [chunk()]):
                async with AsyncClient.from_uri(uri) as client:
                    code, reason = await refused(client, *events)
                    assert (code, "did not answer" in reason) == ("recogniser", True)

    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(path))
        deaf.listen()
        run(converse())


def test_what_is_no_daemon_is_told_of(path: Path) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b'{"type":"acc\n')
        writer.close()

    async def converse() -> None:
        async with await asyncio.start_unix_server(babble, path), served(path, Limits()) as uri:
            for events in ([Describe().event()], [chunk(), AudioStop().event()]):
                async with AsyncClient.from_uri(uri) as client:
                    code, reason = await refused(client, *events)
                    assert (code, "no answer; is it a" in reason) == ("recogniser", True)

    run(converse())


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("http://127.0.0.1:1", "no address of a service"),
        ("tcp://127.0.0.1", "no address of a service"),
        ("tcp://127.0.0.1:1/path", "no address of a service"),
        ("tcp://127.0.0.1:99999", "out of range"),
        ("unix://", "no address of a service"),
        ("stdio://", "no address of a service"),
    ],
)
def test_an_address_that_is_none_is_refused(uri: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        addressed(uri)


def test_others_are_let_in_where_that_is_meant() -> None:
    with pytest.raises(ConfigError, match="add --anyone"):
        bound(addressed("tcp://0.0.0.0:0"), anyone=False)
    with listening(addressed("tcp://0.0.0.0:0"), anyone=True) as listener:
        assert local(listener).port > 0
    with listening(addressed("tcp://[::1]:0"), anyone=False) as listener:
        assert str(local(listener)).startswith("tcp://[::1]:")
    for uri in ("tcp://127.0.0.1:10300", "unix:///run/a", "tcp://[::]:10300"):
        with pytest.raises(ConfigError, match="not reached from the network"):
            announceable(addressed(uri))


def test_bad_flags_are_one_line(path: Path, tmp_path: Path, serve: Serve) -> None:
    taken = serve()
    (tmp_path / "file").write_text("mine")
    for flags, why in [
        (["--clients", "0"], "--clients 0: must be 1 to 400"),
        (["--uri", "tcp://0.0.0.0:0"], "add --anyone"),
        (["--uri", taken.uri], "Address already in use"),
        (["--uri", "tcp://no.such.host.invalid:1", "--anyone"], "no such host"),
        (["--uri", f"unix://{tmp_path / 'file'}"], "no socket can be made there"),
        (["--zeroconf"], "not reached from the network"),
        (["--uri", "tcp://0.0.0.0:0", "--anyone", "--zeroconf", 64 * "x"], "give another NAME"),
    ]:
        done = subprocess.run(
            [*COMMAND, "wyoming", str(path), *flags], capture_output=True, text=True, timeout=WITHIN_S
        )
        lines = [line for line in done.stderr.splitlines() if "WARNING" not in line]
        assert (done.returncode, len(lines), why in lines[-1]) == (2, 1, True), done.stderr
    assert (tmp_path / "file").read_text() == "mine"
    open_to_all = serve("--uri", "tcp://0.0.0.0:0", "--anyone")
    assert "neither encryption nor password" in open_to_all.stop()


def test_the_network_is_told_of_it(serve: Serve) -> None:
    from zeroconf import ServiceBrowser, ServiceStateChange, Zeroconf

    seen: list[tuple[str, str]] = []

    def note(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        del zeroconf, service_type
        seen.append((name.partition(".")[0], state_change.name))

    with closing(Zeroconf()) as network:
        ServiceBrowser(network, "_wyoming._tcp.local.", [note])
        service = serve("--uri", "tcp://0.0.0.0:0", "--anyone", "--zeroconf", "digitd-test")
        until_s = time.monotonic() + WITHIN_S
        while ("digitd-test", "Added") not in seen:
            assert time.monotonic() < until_s
            time.sleep(0.02)
        service.stop()
        while ("digitd-test", "Removed") not in seen:
            assert time.monotonic() < until_s
            time.sleep(0.02)
