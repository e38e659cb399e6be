"""`digitd.client`: programs that hear what a daemon hears, and have it hear them."""

import array
import asyncio
import gc
import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, suppress
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import DEMO, DEMO_DIGITS
from tests.daemon.conftest import COMMAND
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

from digitd import client
from digitd.client import (
    Anew,
    Away,
    Back,
    ConfigError,
    Digit,
    End,
    Event,
    Events,
    Missed,
    News,
    Ready,
    SinkError,
    SourceState,
    Unknown,
)
from digitd.daemon.audio import Samples
from digitd.daemon.client.place import placed
from digitd.daemon.client.samples import pcm16, pieces
from digitd.daemon.events import Body, Rejected, Stamp, String
from digitd.daemon.received import received

READY = Ready("study64", "cpu", "mic", "always")
DIGIT = Digit("7", 0.98, 1.2, 1.6, 1.8)
WITHIN_S = 20.0
TOKEN = "let me in"  # noqa: S105 - of these tests


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


class Daemon:
    """`digitd run` on a pipe, at a socket."""

    def __init__(self, path: Path, *flags: str) -> None:
        command = [*COMMAND, "run", "--source", "-", "--sink", f"unix:{path}", *flags]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE)

    def feed(self, samples: Samples) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(np.round(samples * 32768).astype("<i2").tobytes())
        self.process.stdin.flush()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def daemon(path: Path) -> Iterator[Callable[..., Daemon]]:
    started: list[Daemon] = []

    def start(*flags: str) -> Daemon:
        started.append(Daemon(path, *flags))
        return started[-1]

    yield start
    for each in started:
        each.close()


def until(news: Iterator[News], kind: type[News] | type[Body]) -> list[News]:
    """All up to the first of a kind."""
    seen: list[News] = []
    for each in news:
        seen.append(each)
        if isinstance(each, kind) or (isinstance(each, Event) and isinstance(each.body, kind)):
            return seen
    raise AssertionError(seen)


def test_it_follows_a_daemon_through_its_restarts(path: Path, daemon: Callable[..., Daemon], demo: Samples) -> None:
    with client.events(path) as events:
        assert next(events) == Away("nobody answers (No such file or directory)")
        first = daemon()
        came = until(events, Ready)
        assert (came[0], len(came)) == (Back(again=False), 2)
        first.feed(demo)
        until(events, Digit)
        first.close()
        assert isinstance(until(events, Away)[-1], Away)
        second = daemon()
        came = until(events, Ready)
        assert came[:-1] == [Back(again=True), Anew("stdin", 0)]
        second.feed(demo)
        assert second.process.stdin is not None
        second.process.stdin.close()
        digits = [
            each.body.digit for each in until(events, End) if isinstance(each, Event) and isinstance(each.body, Digit)
        ]
        assert "".join(digits) == DEMO_DIGITS


def test_asyncio_follows_too(path: Path, daemon: Callable[..., Daemon], demo: Samples) -> None:
    async def follow() -> list[News]:
        seen, started = list[News](), list[Daemon]()
        async with aclosing(client.aevents(path)) as events:
            async for news in events:
                seen.append(news)
                if isinstance(news, Away):
                    started.append(daemon())
                if isinstance(news, Event) and isinstance(news.body, Ready):
                    started[0].feed(demo)
                if isinstance(news, Event) and isinstance(news.body, Digit):
                    break
        return seen

    seen = asyncio.run(asyncio.wait_for(follow(), WITHIN_S))
    assert seen[:2] == [Away("nobody answers (No such file or directory)"), Back(again=False)]
    assert isinstance(seen[-1], Event)
    assert seen[-1].seq == 1


def lines(*bodies: Body, stream: str = "mic") -> list[bytes]:
    stamp = Stamp(stream)
    return [stamp.event(body).to_json().encode() + b"\n" for body in bodies]


class FakeDaemon:
    """Sends each that connects the next of some texts, and hangs up."""

    def __init__(self, path: Path, *texts: bytes) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, args=(texts,))
        self._thread.start()

    def _serve(self, texts: tuple[bytes, ...]) -> None:
        with suppress(OSError):  # it is closed
            for text in texts:
                connection, _ = self._listener.accept()
                with connection, suppress(OSError):
                    connection.sendall(text)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(WITHIN_S)
        self._listener.close()


def all_of(place: Path | str, count: int, *, on_asyncio: bool, **given: Any) -> list[News]:
    """So many news, by one way or the other."""
    if not on_asyncio:
        with client.events(place, **given) as events:
            return list(islice(events, count))

    async def follow() -> list[News]:
        seen = []
        async with aclosing(client.aevents(place, **given)) as events:
            async for news in events:
                seen.append(news)
                if len(seen) == count:
                    break
        return seen

    return asyncio.run(asyncio.wait_for(follow(), WITHIN_S))


@pytest.mark.parametrize("on_asyncio", [False, True])
def test_what_is_missed_is_a_value_in_its_place(path: Path, *, on_asyncio: bool) -> None:
    sent = lines(READY, *[DIGIT] * 20)
    fake = FakeDaemon(path, sent[0] + sent[1] + sent[5], sent[0] + sent[7] + sent[3][:40], sent[0])
    seen = all_of(path, 10, on_asyncio=on_asyncio)
    fake.close()
    told = [each.seq if isinstance(each, Event) else each for each in seen]
    gone, back = Away("gone"), Back(again=True)
    assert told == [0, 1, Missed("mic", 2, 4), 5, gone, back, 0, Missed("mic", 6, 6), 7, gone]
    assert Missed("mic", 2, 4).count == 3


@pytest.mark.parametrize("on_asyncio", [False, True])
def test_a_later_version_breaks_nothing(path: Path, *, on_asyncio: bool) -> None:
    stamp = Stamp("mic")
    tables = [
        json.loads(stamp.event(body).to_json()) for body in (READY, DIGIT, SourceState("silent", 0.0, 2.0), DIGIT)
    ]
    tables[0]["languages"] = ["en"]
    tables[1]["tone"] = {"of": "voice"}
    tables[2]["state"] = "underwater"
    tables[3]["type"] = "emotion"
    fake = FakeDaemon(path, b"".join(json.dumps(table).encode() + b"\n" for table in tables))
    seen = all_of(path, 4, on_asyncio=on_asyncio)
    fake.close()
    assert isinstance(seen[0], Event)
    assert isinstance(seen[1], Event)
    assert (seen[0].body, seen[1].body) == (READY, DIGIT)
    assert [(each.type, each.seq) for each in seen[2:] if isinstance(each, Unknown)] == [("source", 2), ("emotion", 3)]
    assert all(isinstance(each, Unknown) and json.loads(each.line) for each in seen[2:])


@pytest.mark.parametrize(
    "body",
    [
        READY,
        DIGIT,
        Rejected("1", 0.2, 1.0, 1.5, 2.0),
        String("12", 0.5, 1.0, 2.0, 2.5, "12", legal=True, far=False, n_best=()),
        *(SourceState(state, 0.0, 1.0) for state in ("lost", "stalled", "back", "silent", "clipping", "overrun")),
        End(3.0),
    ],
)
def test_each_type_of_event_comes_as_it_was_sent(body: Body) -> None:
    sent = Stamp("mic").event(body)
    came = received(sent.to_json().encode()).event
    assert came is not None
    assert (came.body, came.seq, came.stream) == (body, 0, "mic")


@pytest.mark.parametrize("on_asyncio", [False, True])
@pytest.mark.parametrize("garbage", [b"hello\n", b"x" * 3_000_000])
def test_what_is_no_daemon_is_an_error(path: Path, garbage: bytes, *, on_asyncio: bool) -> None:
    fake = FakeDaemon(path, garbage)
    with pytest.raises(SinkError, match=r"is it a? ?`digitd run`"):
        all_of(path, 1, on_asyncio=on_asyncio)
    fake.close()


@pytest.mark.parametrize("on_asyncio", [False, True])
def test_once_ends_with_the_daemon(path: Path, *, on_asyncio: bool) -> None:
    with pytest.raises(SinkError, match="nobody answers"):
        all_of(path, 1, on_asyncio=on_asyncio, once=True)
    fake = FakeDaemon(path, b"".join(lines(READY, DIGIT, End(2.0))))
    seen = all_of(f"unix:{path}", 99, on_asyncio=on_asyncio, once=True)
    fake.close()
    assert [each.seq for each in seen if isinstance(each, Event)] == [0, 1, 2]
    assert len(seen) == 3


@pytest.mark.parametrize("state", ["following", "waiting"])
@pytest.mark.parametrize("web", [False, True])
def test_another_thread_stops_it_at_once(path: Path, state: str, *, web: bool) -> None:
    server: Any = None
    place: Path | str = path
    if web:
        server = WebServer(lines(READY)) if state == "following" else None
        place = server.url if server else "ws://127.0.0.1:9/events"
    elif state == "following":
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
    events = Events(place, token=TOKEN if web else "")
    ended_s: list[float] = []

    def follow() -> None:
        list(events)
        ended_s.append(time.monotonic())

    thread = threading.Thread(target=follow)
    thread.start()
    time.sleep(0.6)  # it waits for what will never come
    assert thread.is_alive()
    began_s = time.monotonic()
    events.stop()
    thread.join(WITHIN_S)
    assert ended_s[0] - began_s < 0.5
    assert list(events) == []
    if server is not None:
        server.close()
    elif not web and state == "following":
        listener.close()


def test_an_iteration_that_is_left_leaves_nothing_open(path: Path) -> None:
    gc.collect()  # what other tests have left to it would be closed meanwhile
    before = len(list(Path("/proc/self/fd").iterdir()))
    fake = FakeDaemon(path, *[lines(READY)[0]] * 20)
    for _ in range(20):
        with client.events(path) as events:
            next(events)
    fake.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


class WebServer:
    """A real WebSocket server that sends the lines of events, to those who have its token."""

    def __init__(
        self, sent: list[bytes], port: int = 0, refusal: HTTPStatus = HTTPStatus.UNAUTHORIZED, certificate: str = ""
    ) -> None:
        encryption = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
        if encryption:
            encryption.load_cert_chain(certificate)
        self._sent, self._refusal, self.asked = sent, refusal, list[str]()
        self._over = threading.Event()
        self._server: Server = serve(self._tell, "127.0.0.1", port, ssl=encryption, process_request=self._admit)
        self.port = self._server.socket.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}/events"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.asked.append(request.path)
        if request.headers.get("Authorization") == f"Bearer {TOKEN}":
            return None
        return connection.respond(self._refusal, "no\n")

    def _tell(self, connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            for line in self._sent:
                connection.send(line.decode().rstrip("\n"))
            while not self._over.wait(0.01) and connection.close_code is None:
                pass
            connection.close()

    def close(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join(WITHIN_S)


@pytest.mark.parametrize("on_asyncio", [False, True])
def test_a_websocket_tells_the_same(*, on_asyncio: bool) -> None:
    sent = lines(READY, *[DIGIT] * 5)
    server = WebServer([*sent[:2], *sent[4:]])
    seen = all_of(f"{server.url}?token={TOKEN.replace(' ', '+')}&x=1", 5, on_asyncio=on_asyncio)
    server.close()
    told = [each.seq if isinstance(each, Event) else each for each in seen]
    assert told == [0, 1, Missed("mic", 2, 3), 4, 5]
    assert server.asked == ["/events?x=1"]  # the token is in a header, which no log has


@pytest.mark.parametrize("on_asyncio", [False, True])
def test_a_websocket_is_followed_through_restarts(*, on_asyncio: bool) -> None:
    sent = lines(READY, *[DIGIT] * 5)
    server = WebServer(sent[:2])
    servers = [server]

    def restart() -> None:
        server.close()
        time.sleep(0.3)
        servers.append(WebServer([sent[0], sent[4]], server.port))

    timer = threading.Timer(0.8, restart)
    timer.start()
    seen = all_of(server.url, 7, on_asyncio=on_asyncio, token=TOKEN)
    timer.join()
    servers[-1].close()
    told = [each.seq if isinstance(each, Event) else each for each in seen]
    assert told == [0, 1, Away("gone"), Back(again=True), 0, Missed("mic", 2, 3), 4]


@pytest.mark.parametrize("on_asyncio", [False, True])
def test_who_is_refused_does_not_ask_again(*, on_asyncio: bool) -> None:
    server = WebServer([])
    with pytest.raises(SinkError, match=r"it refuses us .401.; is the address right, and the token") as refused:
        all_of(f"{server.url}?token=wrong", 1, on_asyncio=on_asyncio)
    assert "wrong" not in str(refused.value)
    server.close()
    assert len(server.asked) == 1
    busy = WebServer([], refusal=HTTPStatus.SERVICE_UNAVAILABLE)
    assert all_of(busy.url, 1, on_asyncio=on_asyncio) == [Away("it refuses us (503)")]
    busy.close()


@pytest.mark.parametrize("on_asyncio", [False, True])
def test_an_encrypted_websocket_is_vouched_for(tmp_path: Path, *, on_asyncio: bool) -> None:
    files = ["-keyout", "server.pem", "-out", "ca.pem", "-days", "2", "-subj", "/CN=localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *files]
    command += ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    ca_file = tmp_path / "ca.pem"
    with (tmp_path / "server.pem").open("a") as both:
        both.write(ca_file.read_text())
    server = WebServer(lines(READY), certificate=str(tmp_path / "server.pem"))
    url = f"wss://localhost:{server.port}/events"
    (came,) = all_of(url, 1, on_asyncio=on_asyncio, token=TOKEN, ca_file=ca_file)
    with pytest.raises(SinkError, match="its certificate is not trusted"):
        all_of(url, 1, on_asyncio=on_asyncio, token=TOKEN)
    with pytest.raises(ConfigError, match="no certificates can be read there"):
        all_of(url, 1, on_asyncio=on_asyncio, ca_file=tmp_path / "none.pem")
    server.close()
    assert isinstance(came, Event)


@pytest.mark.parametrize("on_asyncio", [False, True])
def test_a_websocket_that_is_not_there(*, on_asyncio: bool) -> None:
    (away,) = all_of("ws://127.0.0.1:9/events", 1, on_asyncio=on_asyncio)
    assert isinstance(away, Away)
    assert away.why.startswith("nobody answers (")
    with pytest.raises(SinkError, match="nobody answers"):
        all_of("ws://127.0.0.1:9/events", 1, on_asyncio=on_asyncio, once=True)


def test_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIGITD_SOCKET", "/named")
    assert placed(None).path == Path("/named")
    assert placed("unix:/a/b").path == placed("/a/b").path == placed(Path("/a/b")).path == Path("/a/b")
    assert placed("wss://a.example/events?token=t&x=1").headers == {"Authorization": "Bearer t"}
    for wrong, message in (
        ("ws://a.example/events?token=hunter2", "the token would go unencrypted over the network; use wss://"),
        ("ws:///events", "no host"),
    ):
        with pytest.raises(ConfigError, match=message) as refused:
            placed(wrong)
        assert "hunter2" not in str(refused.value)
    with pytest.raises(ConfigError, match="a WebSocket only tells"):
        client.switch("entry", "ws://localhost/events")


def test_the_mode_is_switched_and_told(path: Path, daemon: Callable[..., Daemon], demo: Samples) -> None:
    running = daemon()
    with client.events(path) as events:
        until(events, Ready)
    told = client.ready(path)
    assert isinstance(told.body, Ready)
    assert told.body.mode == "always"
    feeding = threading.Timer(0.2, running.feed, [demo[:16000]])
    feeding.start()
    client.switch("entry", path, within_s=WITHIN_S)
    feeding.join()
    switched = client.ready(path)
    assert isinstance(switched.body, Ready)
    assert switched.body.mode == "entry"
    with pytest.raises(SinkError, match="did you mean 'entry'"):
        client.switch("entri", path)
    with pytest.raises(SinkError, match=r"is not on after 0\.1 s"):
        client.switch("always", path, within_s=0.1)


def test_nobody_is_asked_in_vain(path: Path) -> None:
    for ask in (lambda: client.switch("entry", path), lambda: client.ready(path)):
        with pytest.raises(SinkError, match="nobody answers"):
            ask()


@pytest.fixture
def audio(tmp_path: Path) -> Iterator[Path]:
    """The socket of a daemon that hears any number of streams."""
    path = tmp_path / "audio"
    command = [*COMMAND, "run", "--source", f"unix:{path}", "--sink", f"unix:{tmp_path / 's'}"]
    with subprocess.Popen(command) as process:
        until_s = time.monotonic() + WITHIN_S
        while not (path.exists() and (tmp_path / "s").exists()):
            assert process.poll() is None
            assert time.monotonic() < until_s
            time.sleep(0.02)
        yield path
        process.send_signal(signal.SIGTERM)


def heard(events: list[Event | Unknown]) -> str:
    return "".join(each.body.digit for each in events if isinstance(each, Event) and isinstance(each.body, Digit))


def recordings(demo: Samples) -> list[Any]:
    pcm = np.round(demo * 32768).astype("<i2")
    chunks = [pcm[at : at + 1600] for at in range(0, len(pcm), 1600)]
    return [demo, pcm, pcm.tobytes(), array.array("h", pcm.tolist()), chunks, demo.astype(np.float64), iter(chunks)]


def test_a_stream_of_ones_own_is_recognised(audio: Path, demo: Samples, tmp_path: Path) -> None:
    for number, recording in enumerate(recordings(demo)):
        events = list(client.recognise(recording, audio, stream=f"n{number}"))
        assert heard(events) == DEMO_DIGITS
        assert {each.stream for each in events} == {f"n{number}"}
        assert [each.seq for each in events] == list(range(len(events)))
        assert isinstance(events[-1], Event)
        assert isinstance(events[-1].body, End)
    raw = tmp_path / "raw"
    raw.write_bytes(pcm16(demo))
    with raw.open("rb") as file:
        assert heard(list(client.recognise(file, f"unix:{audio}"))) == DEMO_DIGITS


def test_asyncio_is_heard_many_at_a_time(audio: Path, demo: Samples) -> None:
    async def chunks() -> AsyncIterator[Samples]:
        for at in range(0, len(demo), 8000):
            yield demo[at : at + 8000]
            await asyncio.sleep(0)

    async def stream(recording: Any) -> str:
        return heard([event async for event in client.arecognise(recording, audio, mode="entry")])

    async def streams() -> list[str]:
        return list(await asyncio.gather(stream(demo), stream(chunks()), stream(list(pieces(demo)))))

    assert asyncio.run(asyncio.wait_for(streams(), 60)) == [DEMO_DIGITS] * 3


def test_what_a_daemon_will_not_hear_is_told(audio: Path, demo: Samples) -> None:
    with pytest.raises(SinkError, match="rate_hz"):
        list(client.recognise(demo, audio, rate_hz=1))
    with pytest.raises(ConfigError, match="samples of format 'i' cannot be sent"):
        list(client.recognise(np.zeros(10, np.int32), audio))
    with pytest.raises(ConfigError, match="str is no sound"):
        list(client.recognise(["words"], audio))
    first = client.recognise(iter([demo[:1600]] * 100), audio, stream="same")
    next(first)
    with pytest.raises(SinkError, match="a stream 'same' is being heard"):
        list(client.recognise(demo, audio, stream="same"))
    first.close()  # type: ignore[attr-defined]

    async def refused() -> None:
        with pytest.raises(SinkError, match="rate_hz"):
            [event async for event in client.arecognise(demo, audio, rate_hz=1)]
        with pytest.raises(ConfigError, match="cannot be sent"):
            [event async for event in client.arecognise(np.zeros(10, np.int32), audio)]

    asyncio.run(asyncio.wait_for(refused(), WITHIN_S))


def test_a_daemon_that_hangs_up_in_the_middle_is_told(path: Path) -> None:
    accepted = b'{"v":1,"type":"accepted","stream":"a"}\n'
    full = b'{"v":1,"type":"refused","reason":"full"}\n'
    fake = FakeDaemon(path, accepted + lines(READY)[0], accepted, b"", b"220 mail\r\n", b"[]\n", full)
    for _ in range(2):
        with pytest.raises(SinkError, match="hung up before the end"):
            list(client.recognise(b"", path))
    for _ in range(3):
        with pytest.raises(SinkError, match=r"no answer|hung up"):
            list(client.recognise(b"", path))
    with pytest.raises(SinkError, match="full"):
        list(client.recognise(b"", path))
    fake.close()


def test_it_is_light_and_typed(tmp_path: Path) -> None:
    heavy = ["numpy", "onnxruntime", "websockets", "paho", "soxr", "soundfile", "webrtcvad", "tqdm", "tomli_w"]
    program = f"import sys, digitd.client; print(sorted(set(sys.modules) & set({heavy!r})))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    (tmp_path / "use.py").write_text(
        "from digitd.client import Digit, Event, events\n"
        "for each in events():\n"
        "    if isinstance(each, Event) and isinstance(each.body, Digit):\n"
        "        reveal_type(each.body.digit)\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--follow-imports=silent", "use.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert 'Revealed type is "str"' in done.stdout.replace("builtins.", ""), done.stdout
    assert done.returncode == 0, done.stdout


def test_the_demo_is_heard_by_those_who_listen(tmp_path: Path) -> None:
    command = [*COMMAND, "run", "--source", str(DEMO), "--pace", "realtime", "--sink", f"unix:{tmp_path / 's'}"]
    with subprocess.Popen(command), client.events(tmp_path / "s") as events:
        said = [
            each.body.digit for each in until(events, End) if isinstance(each, Event) and isinstance(each.body, Digit)
        ]
    assert "".join(said) == DEMO_DIGITS
