"""WebSockets for other programs and machines: who is let in, what is told and heard, and through what."""

import asyncio
import json
import resource
import select
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, expect, sync_playwright
from tests.conftest import DEMO_DIGITS, ROOT
from tests.daemon.conftest import COMMAND
from tests.daemon.web_server import WITHIN_S, digits, pcm16, say, told
from websockets.asyncio.client import connect as aconnect
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.uri import parse_uri

from digitd import client
from digitd.client import Away, Back, Event
from digitd.daemon.audio import Samples
from digitd.daemon.errors import ConfigError
from digitd.daemon.events import Digit, Ready
from digitd.daemon.gateway import tokens
from digitd.daemon.gateway.address import Address, address
from digitd.daemon.gateway.attempts import MOST_WRONG, WAIT_S, WINDOW_S, Attempts, origin
from digitd.daemon.gateway.door import STRANGERS
from digitd.daemon.gateway.tokens import Token, Tokens, digest_of

CHROMIUM = "/usr/bin/chromium"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


class Heard:
    """A daemon with both its sockets."""

    def __init__(self, folder: Path) -> None:
        self.audio, self.events = folder / "audio", folder / "events"
        self.flags = ["--audio", str(self.audio), "--events", str(self.events)]
        self.start()

    def start(self) -> None:
        sockets = ["--source", f"unix:{self.audio}", "--sink", f"unix:{self.events}"]
        self.process = subprocess.Popen([*COMMAND, "run", *sockets])
        await_that(lambda: self.audio.exists() and self.events.exists())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for path in (self.audio, self.events):
            path.unlink(missing_ok=True)


class Gateway:
    """`digitd gateway` as a process."""

    def __init__(self, *flags: str, listen: str = "127.0.0.1:0") -> None:
        command, pipe = [*COMMAND, "gateway", "--listen", listen, *flags], subprocess.PIPE
        self.process = subprocess.Popen(command, stdout=pipe, stderr=pipe)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().strip()
        self.port = int(self.url.rpartition(":")[2] or 0)

    def socket(self, path: str = "/audio", token: str = "", **changed: Any) -> ClientConnection:
        """A connection of a program."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        given: dict[str, Any] = {
            "additional_headers": headers,
            "compression": None,
            "open_timeout": WITHIN_S,
            **changed,
        }
        made: ClientConnection = connect(f"{self.url}{path}", proxy=None, **given)
        return made

    def admits(self, path: str = "/audio", token: str = "", **changed: Any) -> bool:
        """Whether one is let in."""
        try:
            with self.socket(path, token, **changed):
                return True
        except (InvalidStatus, InvalidMessage, ConnectionError):
            return False

    def status(self, path: str = "/audio", token: str = "", **changed: Any) -> int:
        """How one is refused."""
        with pytest.raises(InvalidStatus) as refused:
            self.socket(path, token, **changed)
        return refused.value.response.status_code

    def notify(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def logged(self, words: str) -> str:
        """The next line of its log that has these."""
        assert self.process.stderr is not None
        while words not in (line := self.process.stderr.readline().decode()):
            assert line, f"{words!r} was not logged"
        return line

    def end(self, number: signal.Signals = signal.SIGTERM) -> str:
        """End it; what is left of its log."""
        self.notify(number)
        _, log = self.process.communicate(timeout=WITHIN_S)
        assert self.process.returncode == 0, log
        return log.decode()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


Start = Callable[..., Gateway]


class Deaf:
    """A WebSocket client that never reads, nor answers a ping."""

    def __init__(self, gateway: Gateway, path: str) -> None:
        self._protocol = ClientProtocol(parse_uri(f"{gateway.url}{path}"))
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(WITHIN_S)
        self.socket.connect(("127.0.0.1", gateway.port))
        self._protocol.send_request(self._protocol.connect())
        self._flush()
        while b"\r\n\r\n" not in (came := self.socket.recv(4096, socket.MSG_PEEK)):
            assert came
        self._protocol.receive_data(self.socket.recv(came.index(b"\r\n\r\n") + 4))

    def send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self._protocol.send_text(message.encode())
        else:
            self._protocol.send_binary(message)
        self._flush()

    def is_dropped(self) -> bool:
        """Whether the gateway has hung up, without anything being read."""
        poll = select.poll()
        poll.register(self.socket, select.POLLRDHUP)
        return bool(poll.poll(0))

    def _flush(self) -> None:
        self.socket.sendall(b"".join(self._protocol.data_to_send()))


def await_that(true: Callable[[], object], within_s: float = WITHIN_S) -> None:
    until_s = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < until_s, "it does not come about"
        time.sleep(0.01)


def greet(connection: ClientConnection, **greeting: Any) -> dict[str, Any]:
    connection.send(json.dumps(greeting))
    answer: dict[str, Any] = json.loads(connection.recv(WITHIN_S))
    return answer


def finish(connection: ClientConnection) -> list[dict[str, Any]]:
    connection.send('{"end":true}')
    return told(connection)


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heard]:
    """A daemon that nobody ends."""
    daemon = Heard(tmp_path_factory.mktemp("daemon"))
    yield daemon
    daemon.kill()


@pytest.fixture(scope="module")
def gateway(heard: Heard) -> Iterator[Gateway]:
    """One for programs of this machine."""
    with closing(Gateway(*heard.flags)) as started:
        yield started


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def run(*flags: str, **given: Any) -> Gateway:
            return stack.enter_context(closing(Gateway(*flags, **given)))

        yield run


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Heard]:
    """One that may be ended."""
    (tmp_path / "d").mkdir()
    started = Heard(tmp_path / "d")
    yield started
    started.kill()


@pytest.fixture
def tokens_file(tmp_path: Path) -> tuple[Path, str]:
    """A file of one token, and that."""
    path = tmp_path / "tokens"
    return path, tokens.add(path, "kitchen")


def certify(folder: Path) -> list[str]:
    """A new certificate for this machine, vouched for by itself: the flags that name it."""
    files = ["-keyout", "key.pem", "-out", "ca.pem", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *files, *names]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (folder / "key.pem").chmod(0o600)
    return ["--certificate", str(folder / "ca.pem"), "--key", str(folder / "key.pem")]


def trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(folder / "ca.pem"))


# What is heard and told


@pytest.mark.parametrize("piece_bytes", [641, 3200, 200_001])
def test_a_stream_is_heard_in_any_pieces(gateway: Gateway, heard: Heard, demo: Samples, piece_bytes: int) -> None:
    straight = list(client.recognise(demo, heard.audio, stream="straight"))
    with gateway.socket() as speaker:
        name = f"kitchen-{piece_bytes}"
        assert greet(speaker, stream=name, rate_hz=16000) == {"v": 1, "type": "accepted", "stream": name}
        say(speaker, pcm16(demo), piece_bytes)
        events = finish(speaker)
        assert (speaker.close_code, speaker.close_reason) == (1000, "the end")
    assert digits(events) == DEMO_DIGITS
    assert [event["type"] for event in events] == [e.body.type for e in straight if isinstance(e, Event)]
    assert (events[0]["type"], events[-1]["type"]) == ("ready", "end")
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert {event["stream"] for event in events} == {name}


def test_the_client_library_is_told_what_others_say(gateway: Gateway, demo: Samples) -> None:
    with client.events(f"{gateway.url}/events") as events, gateway.socket() as speaker:
        greet(speaker, stream="said")
        ready = next(events)  # it connects when it is asked
        assert isinstance(ready, Event)
        assert isinstance(ready.body, Ready)
        say(speaker, pcm16(demo), 3200)
        finish(speaker)
        spoken = ""
        while len(spoken) < len(DEMO_DIGITS):
            news = next(events)
            assert isinstance(news, Event)
            spoken += news.body.digit if isinstance(news.body, Digit) else ""
        assert spoken == DEMO_DIGITS


def test_who_comes_later_is_told_what_is_ready(gateway: Gateway) -> None:
    with gateway.socket() as speaker:
        greet(speaker, stream="early")
        json.loads(speaker.recv(WITHIN_S))
        with gateway.socket("/events") as listener:
            ready = json.loads(listener.recv(WITHIN_S))
            assert (ready["type"], ready["stream"]) == ("ready", "early")
        finish(speaker)


def test_a_hundred_listen_and_some_speak(gateway: Gateway, demo: Samples) -> None:
    async def listen(ready: asyncio.Semaphore) -> dict[str, str]:
        spoken: dict[str, str] = {}
        ended = 0
        async with aconnect(f"{gateway.url}/events", compression=None, proxy=None) as listener:
            ready.release()
            while ended < 4:
                event = json.loads(await listener.recv())
                ended += event["type"] == "end" and event["stream"].startswith("many-")
                if event["type"] == "digit":
                    spoken[event["stream"]] = spoken.get(event["stream"], "") + event["digit"]
        return spoken

    async def speak(name: str) -> str:
        async with aconnect(f"{gateway.url}/audio", compression=None, proxy=None) as speaker:
            await speaker.send(json.dumps({"stream": name}))
            raw = pcm16(demo)
            for at in range(0, len(raw), 6400):
                await speaker.send(raw[at : at + 6400])
            await speaker.send('{"end":true}')
            return digits([json.loads(line) async for line in speaker if '"digit"' in str(line)])

    async def all_of_them() -> None:
        ready = asyncio.Semaphore(0)
        listening = [asyncio.create_task(listen(ready)) for _ in range(100)]
        for _ in listening:
            await ready.acquire()
        names = [f"many-{n}" for n in range(4)]
        assert await asyncio.gather(*map(speak, names)) == [DEMO_DIGITS] * 4
        assert await asyncio.gather(*listening) == [dict.fromkeys(names, DEMO_DIGITS)] * 100

    asyncio.run(asyncio.wait_for(all_of_them(), 60))


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ("hello", "is no JSON object"),
        ('{"rate_hz":10}', "rate_hz: 10 is out of range"),
        ('{"strem":"x"}', "did you mean 'stream'?"),
        ("[" * 4000, "is no JSON object"),
        ("x" * 5000, "longer than 4096 bytes"),
        (b"\0\0", "samples before a greeting"),
    ],
)
def test_who_greets_wrongly_is_told_why(gateway: Gateway, first: str | bytes, reason: str) -> None:
    with gateway.socket() as speaker:
        speaker.send(first)
        (refused,) = told(speaker)
        assert refused["type"] == "refused"
        assert reason in refused["reason"]
        assert speaker.close_code == 1008


def test_what_the_daemon_refuses_is_handed_on(gateway: Gateway) -> None:
    with gateway.socket() as first, gateway.socket() as second:
        greet(first, stream="one")
        assert "'one' is being heard" in greet(second, stream="one")["reason"]
        told(second)
        assert second.close_code == 1013
        assert [event["type"] for event in finish(first)] == ["ready", "end"]


@pytest.mark.parametrize("message", ["hello", '{"end":false}', "{}", "[" * 4000])
def test_a_text_that_is_no_end_ends_the_stream_and_what_is_open_is_told(
    gateway: Gateway, demo: Samples, message: str
) -> None:
    with gateway.socket() as speaker:
        greet(speaker)
        say(speaker, pcm16(demo), 32000)
        speaker.send(message)
        events = told(speaker)
        assert digits(events) == DEMO_DIGITS
        assert events[-1]["type"] == "end"
        assert speaker.close_code == 1008


def test_too_large_a_message_is_not_taken(gateway: Gateway) -> None:
    with gateway.socket() as speaker:
        greet(speaker)
        speaker.send(bytes(256 * 1024 + 2))
        told(speaker)
        assert speaker.close_code == 1009


def test_who_listens_has_nothing_to_say(gateway: Gateway) -> None:
    with gateway.socket("/events") as listener:
        listener.send('{"mode":"entry"}')
        while (line := listener.recv(WITHIN_S)) and "error" not in str(line):
            pass
        told(listener)
        assert listener.close_code == 1008


def test_who_leaves_ends_his_stream(gateway: Gateway, demo: Samples) -> None:
    with gateway.socket("/events") as listener, gateway.socket() as speaker:
        greet(speaker, stream="leaver")
        speaker.send(pcm16(demo[:16000]))
        speaker.socket.shutdown(socket.SHUT_RDWR)
        while (event := json.loads(listener.recv(WITHIN_S)))["type"] != "end" or event["stream"] != "leaver":
            pass


# Those who are silent, or deaf


def test_who_sends_nothing_has_left(start: Start, heard: Heard, demo: Samples) -> None:
    gateway = start(*heard.flags, "--patience", "1")
    with gateway.socket() as mute:
        (refused,) = told(mute)
        assert refused["reason"] == "nothing came for 1 s; who is muted sends zeros"
    with gateway.socket() as speaker:
        greet(speaker)
        say(speaker, pcm16(demo), 32000)
        events = told(speaker)
        assert digits(events) == DEMO_DIGITS
        assert events[-1]["type"] == "end"
        assert (speaker.close_code, speaker.close_reason) == (1008, refused["reason"])


@pytest.mark.parametrize("path", ["/audio", "/events"])
def test_who_answers_no_ping_has_left(start: Start, heard: Heard, path: str) -> None:
    gateway = start(*heard.flags, "--patience", "0.5")
    deaf = Deaf(gateway, path)
    if path == "/audio":
        deaf.send('{"stream":"deaf"}')
    with gateway.socket("/events") as listener:
        until_s = time.monotonic() + 10
        while not deaf.is_dropped():
            assert time.monotonic() < until_s
            if path == "/audio":
                with suppress(OSError):
                    deaf.send(bytes(3200))
            time.sleep(0.1)
        assert listener.close_code is None
    deaf.socket.close()


def test_who_never_reads_is_dropped_and_nobody_waits_for_him(start: Start, tmp_path: Path) -> None:
    """A daemon's lines, more of them than one hears in a test."""
    path, count = tmp_path / "events", 10_000
    line = {"v": 1, "type": "later", "stream": "mic", "time": "2026-01-01T00:00:00.000Z", "pad": "x" * 100}
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        gateway = start("--events", str(path), "--patience", "600")
        follower, _ = listener.accept()
        deaf, reader = Deaf(gateway, "/events"), gateway.socket("/events")
        with follower, reader:
            for seq in range(count):
                follower.sendall(json.dumps({**line, "seq": seq}).encode() + b"\n")
                assert json.loads(reader.recv(WITHIN_S))["seq"] == seq
            assert "left more than 262144 bytes unread" in gateway.logged("unread")
            deaf.socket.close()


# Restarts


def test_the_client_library_follows_through_restarts_over_tls(
    start: Start, daemon: Heard, tmp_path: Path, tokens_file: tuple[Path, str], demo: Samples
) -> None:
    path, token = tokens_file
    flags = [*daemon.flags, *certify(tmp_path), "--tokens", str(path)]
    gateway = start(*flags)
    url = f"wss://localhost:{gateway.port}/events"

    def until(kind: type) -> list[Any]:
        seen: list[Any] = []
        for each in events:
            seen.append(each)
            if isinstance(each, kind) or (isinstance(each, Event) and isinstance(each.body, kind)):
                return seen
        raise AssertionError(seen)

    def speak() -> list[Any]:
        """Say the digits; all news up to the first of them."""
        with gateway.socket(token=token, ssl=trusting(tmp_path)) as speaker:
            greet(speaker, stream="s")
            seen = until(Ready)
            say(speaker, pcm16(demo), 32000)
            assert digits(finish(speaker)) == DEMO_DIGITS
        return seen + until(Digit)

    with client.events(url, token=token, ca_file=tmp_path / "ca.pem") as events:
        assert [each.seq for each in speak()] == [0, 1]
        daemon.kill()
        assert "behind the gateway" in until(Away)[-1].why
        with gateway.socket(token=token, ssl=trusting(tmp_path)) as speaker:
            assert greet(speaker)["reason"] == "the daemon is not there; try again later"
            told(speaker)
            assert speaker.close_code == 1013
        daemon.start()
        back, *again = speak()
        assert back == Back(again=True)
        assert [each.seq for each in again] == [0, 1]
        gateway.end()
        assert isinstance(until(Away)[-1], Away)
        gateway = start(*flags, listen=f"127.0.0.1:{gateway.port}")
        assert speak()[0] == Back(again=True)


def test_a_daemon_that_dies_in_the_middle_is_told(start: Start, daemon: Heard, demo: Samples) -> None:
    gateway = start(*daemon.flags)
    with gateway.socket() as speaker:
        greet(speaker)
        speaker.send(pcm16(demo[:32000]))
        while json.loads(speaker.recv(WITHIN_S))["type"] != "digit":
            pass
        daemon.kill()
        refused = told(speaker)[-1]
        assert refused["reason"].startswith("the daemon hung up before the end")
        assert speaker.close_code == 1013


def test_a_daemon_that_is_ended_ends_the_stream(start: Start, daemon: Heard, demo: Samples) -> None:
    gateway = start(*daemon.flags)
    with gateway.socket() as speaker:
        greet(speaker)
        speaker.send(pcm16(demo[:32000]))
        while json.loads(speaker.recv(WITHIN_S))["type"] != "digit":
            pass
        daemon.process.terminate()
        assert told(speaker)[-1]["type"] == "end"
        assert speaker.close_code == 1001


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_is_open_when_it_ends_is_decided(
    start: Start, heard: Heard, demo: Samples, number: signal.Signals
) -> None:
    gateway = start(*heard.flags)
    with gateway.socket() as speaker, gateway.socket("/events") as listener:
        greet(speaker)
        speaker.send(pcm16(demo)[: 2 * 16000 * 5])
        while json.loads(speaker.recv(WITHIN_S))["type"] != "digit":
            pass
        assert gateway.end(number) == ""
        events = told(speaker)
        assert events[-1]["type"] == "end"
        assert events[-2]["type"] == "string"
        assert speaker.close_code == 1001
        told(listener)
        assert listener.close_code == 1001


def test_a_daemon_that_is_stopped_does_not_keep_it_from_ending(start: Start, daemon: Heard) -> None:
    gateway = start(*daemon.flags)
    with gateway.socket() as speaker, gateway.socket() as leaver:
        for each in (speaker, leaver):
            greet(each)
            json.loads(each.recv(WITHIN_S))
        daemon.process.send_signal(signal.SIGSTOP)
        leaver.close()
        assert gateway.end() == ""


def test_a_daemon_that_cannot_take_one_more_is_told(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "audio"
    with socket.socket(socket.AF_UNIX) as listener, ExitStack() as knocking:
        listener.bind(str(path))
        listener.listen(0)
        while True:
            caller = knocking.enter_context(socket.socket(socket.AF_UNIX))
            caller.settimeout(0)
            if caller.connect_ex(str(path)):
                break
        gateway = start("--audio", str(path))
        with gateway.socket() as speaker:
            assert greet(speaker)["reason"] == "the daemon hung up before the end of the stream; begin it anew"
            told(speaker)
            assert speaker.close_code == 1013
        assert gateway.end() == ""


def test_what_is_no_daemon_ends_it(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        gateway = Gateway("--events", str(tmp_path / "s"))
        follower, _ = listener.accept()
        follower.sendall(b"220 mail.example.org\r\n")
        _, log = gateway.process.communicate(timeout=WITHIN_S)
        follower.close()
    assert gateway.process.returncode == 2
    assert "is no event of schema 1" in log.decode()


# Who is let in


def test_a_token_is_asked_for(start: Start, heard: Heard, tokens_file: tuple[Path, str]) -> None:
    path, token = tokens_file
    gateway = start(*heard.flags, "--tokens", str(path), "--log-level", "debug")
    for where in ("/audio", "/events"):
        assert gateway.status(where) == 401
        assert gateway.status(where, additional_headers={"Authorization": f"Basic {token}"}) == 401
        assert gateway.admits(where, token)
        assert gateway.admits(f"{where}?token={token}")
    assert gateway.status("/other", token) == 404
    for n in range(MOST_WRONG):
        assert gateway.status(token=f"wrong-{n}") == 401
    assert gateway.status(token=token) == 429  # right as it is: else one could go on guessing
    assert gateway.status(f"/events?token={token}") == 429
    log = gateway.end()
    assert "WARNING: '127.0.0.1' has shown 5 wrong tokens and has to wait for 60 s" in log
    assert token not in log
    assert "wrong-" not in log


def test_behind_a_proxy_each_caller_has_tries_of_his_own(
    start: Start, heard: Heard, tokens_file: tuple[Path, str]
) -> None:
    path, token = tokens_file
    gateway = start(*heard.flags, "--tokens", str(path), "--behind-proxy")

    def of(forwarded: str, shown: str) -> dict[str, Any]:
        return {"additional_headers": {"X-Forwarded-For": forwarded, "Authorization": f"Bearer {shown}"}}

    for n in range(MOST_WRONG):
        assert gateway.status(**of(f"2001:db8::{n}, 2001:db8:1:2::{n}", "wrong")) == 401
    assert gateway.status(**of("2001:db8:1:2::ffff", token)) == 429
    assert gateway.admits(**of("2001:db8:1:2::ffff, 2001:db8:1:3::1", token))
    assert gateway.admits(token=token)


def test_there_is_room_for_so_many(start: Start, heard: Heard, tokens_file: tuple[Path, str]) -> None:
    path, token = tokens_file
    other = tokens.add(path, "hall")
    gateway = start(*heard.flags, "--tokens", str(path), "--most", "3", "--most-per-token", "2")
    with gateway.socket("/events", token), gateway.socket("/audio", token):
        assert gateway.status(token=token) == 429
        with gateway.socket(token=other):
            assert gateway.status(token=other) == 503
        await_that(lambda: gateway.admits(token=other))


def test_sighup_takes_up_tokens_and_certificate(
    start: Start, heard: Heard, tmp_path: Path, tokens_file: tuple[Path, str]
) -> None:
    path, token = tokens_file
    flags = certify(tmp_path)
    first = trusting(tmp_path)
    gateway = start(*heard.flags, *flags, "--tokens", str(path))
    connect = partial(gateway.socket, "/events")
    with connect(token, ssl=first) as old:
        kept = tokens.add(path, "hall")
        gateway.notify(signal.SIGHUP)
        gateway.logged("read again")
        with connect(kept, ssl=first) as new:
            path.write_text(path.read_text().splitlines()[1] + "\n")
            certify(tmp_path)
            gateway.notify(signal.SIGHUP)
            gateway.logged("read again")
            assert told(old) == []
            assert (old.close_code, old.close_reason) == (1008, "this token is no longer valid")
            assert gateway.status("/events", token, ssl=trusting(tmp_path)) == 401
            with pytest.raises(ssl.SSLCertVerificationError):
                connect(kept, ssl=first)
            assert gateway.admits("/events", kept, ssl=trusting(tmp_path))
            second = trusting(tmp_path)
            certify(tmp_path)  # of which half could be taken up
            (tmp_path / "key.pem").write_text("nonsense")
            gateway.notify(signal.SIGHUP)
            assert "key.pem" in gateway.logged("all stays as it was")
            assert gateway.admits("/events", kept, ssl=second)
            assert new.close_code is None


class Site:
    """A web site of a port of its own, and so an origin of its own."""

    def __init__(self) -> None:
        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<!doctype html><title>site</title><link rel=icon href=data:,>")

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - so it is called there
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


CONVERSE = """async ([url, token, samples]) => {
  const told = [], open = (path) => new WebSocket(`${url}${path}?token=${token}`);
  const events = open("/events");
  const closed = (socket) => new Promise((resolve) => { socket.onclose = (close) => resolve(close.code); });
  if (!await new Promise((resolve) => { events.onopen = () => resolve(true); events.onerror = () => resolve(false); }))
    return { code: await closed(events) };
  const listened = new Promise((resolve) => {
    events.onmessage = ({ data }) => { told.push(JSON.parse(data)); if (told.at(-1).type === "end") resolve(); };
  });
  const audio = open("/audio"), heard = [];
  audio.onopen = () => {
    audio.send(JSON.stringify({ stream: "browser", rate_hz: 16000 }));
    const raw = Uint8Array.from(atob(samples), (letter) => letter.charCodeAt(0));
    for (let at = 0; at < raw.length; at += 8000) audio.send(raw.subarray(at, at + 8000));
    audio.send('{"end":true}');
  };
  audio.onmessage = ({ data }) => heard.push(JSON.parse(data));
  const code = await closed(audio);
  await listened;
  return { code, heard, told };
}"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, demo: Samples) -> Iterator[Browser]:
    """Chromium, whose microphone hears the demo once."""
    spoken = tmp_path_factory.mktemp("microphone") / "demo.wav"
    quiet = np.random.default_rng(1).normal(0, 0.0005, 16000).astype(np.float32)
    soundfile.write(spoken, np.concatenate([quiet, demo, quiet, quiet]), 16000, subtype="PCM_16")
    flags = ["--no-sandbox", "--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={spoken}%noloop"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


def test_a_page_that_was_named_may_and_no_other(
    start: Start, heard: Heard, browser: Browser, tokens_file: tuple[Path, str], demo: Samples
) -> None:
    import base64

    path, token = tokens_file
    with closing(Site()) as ours, closing(Site()) as theirs:
        gateway = start(*heard.flags, "--tokens", str(path), "--origin", ours.origin)
        given = [gateway.url, token, base64.b64encode(pcm16(demo)).decode()]
        page = browser.new_page()
        page.goto(ours.origin)
        came = page.evaluate(CONVERSE, given)
        page.goto(theirs.origin)
        refused = page.evaluate(CONVERSE, given)
        page.close()
        assert gateway.status(token=token, origin=theirs.origin) == 403
        assert gateway.status(token=token, origin="null") == 403
    assert came["code"] == 1000
    assert came["heard"][0] == {"v": 1, "type": "accepted", "stream": "browser"}
    assert digits(came["heard"]) == digits(came["told"]) == DEMO_DIGITS
    assert came["told"] == came["heard"][1:]
    assert refused == {"code": 1006}


def test_the_documented_page_is_heard(
    start: Start, heard: Heard, browser: Browser, tokens_file: tuple[Path, str]
) -> None:
    path, token = tokens_file
    script = (ROOT / "docs/gateway.md").read_text().partition("```js\n")[2].partition("```")[0]
    with closing(Site()) as site:
        gateway = start(*heard.flags, "--tokens", str(path), "--origin", site.origin)
        script = script.replace("wss://pi.example.org:8320", gateway.url).replace('"..."', f'"{token}"')
        context = browser.new_context(permissions=["microphone"])
        page = context.new_page()
        page.goto(site.origin)
        page.evaluate("document.body.append(document.createElement('button'))")
        page.add_script_tag(content=script)
        page.click("button", force=True)  # it has no size
        expect(page.locator("body")).to_have_text(DEMO_DIGITS, timeout=1000 * WITHIN_S)
        context.close()


RUBBISH = [
    b"GET //[x HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /audio HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /audio HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
    b"GET /audio HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    b"GET /" + b"x" * 20000,
    b"SSH-2.0-scan\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\0" * 70000,
    b"\x80\x46\x01\x03\x01",
]


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_port_scan_gets_nothing_and_leaves_nothing(
    start: Start, heard: Heard, tmp_path: Path, demo: Samples, *, encrypted: bool
) -> None:
    gateway = start(*heard.flags, *(certify(tmp_path) if encrypted else []))
    answers = [talk(gateway.port, sent) for sent in RUBBISH]
    talk(gateway.port, b"")
    assert not any(answer.startswith((b"HTTP/1.1 101", b"HTTP/1.1 200")) for answer in answers)
    if encrypted:
        assert not any(answer.startswith(b"HTTP") for answer in answers)
        command = [
            "openssl",
            "s_client",
            "-connect",
            f"127.0.0.1:{gateway.port}",
            "-tls1_1",
            "-cipher",
            "ALL:@SECLEVEL=0",
        ]
        assert subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=WITHIN_S).returncode != 0
    url = gateway.url.replace("127.0.0.1", "localhost")
    with connect(f"{url}/audio", ssl=trusting(tmp_path) if encrypted else None, proxy=None) as speaker:
        greet(speaker)
        say(speaker, pcm16(demo), 32000)
        assert digits(finish(speaker)) == DEMO_DIGITS
    assert gateway.end() == ""


def talk(port: int, sent: bytes) -> bytes:
    """What one who speaks no WebSocket is answered."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S) as scanner, suppress(ConnectionError):
        scanner.sendall(sent)
        scanner.shutdown(socket.SHUT_WR)
        while more := scanner.recv(65536):
            answer += more
    return answer


def test_a_flood_of_strangers_takes_nothing_from_who_is_in(start: Start, heard: Heard, demo: Samples) -> None:
    gateway = start(*heard.flags, "--most", "10")
    with gateway.socket() as speaker, ExitStack() as strangers:
        greet(speaker)
        for _ in range(10 + STRANGERS + 100):
            strangers.enter_context(socket.create_connection(("127.0.0.1", gateway.port)))
        say(speaker, pcm16(demo), 32000)
        assert digits(finish(speaker)) == DEMO_DIGITS
        assert len(list(Path(f"/proc/{gateway.process.pid}/fd").iterdir())) <= 10 + STRANGERS + 20
    await_that(gateway.admits)
    assert gateway.end() == ""


def test_the_other_loopback(start: Start, heard: Heard) -> None:
    gateway = start(*heard.flags, listen="[::1]:0")
    with gateway.socket() as speaker:
        assert greet(speaker)["type"] == "accepted"
        finish(speaker)


def test_all_the_network_is_listened_to_in_both_its_versions(
    start: Start, heard: Heard, tmp_path: Path, tokens_file: tuple[Path, str]
) -> None:
    path, token = tokens_file
    gateway = start(*heard.flags, *certify(tmp_path), "--tokens", str(path), listen="[::]:0")
    for host in ("127.0.0.1", "[::1]"):
        gateway.url = f"wss://{host}:{gateway.port}"
        assert gateway.admits(token=token, ssl=trusting(tmp_path), server_hostname="localhost")
        assert gateway.status(ssl=trusting(tmp_path), server_hostname="localhost") == 401


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ([], "there is nothing to open"),
        (["--audio", "a", "--listen", "0.0.0.0:0"], "it needs --certificate FILE, --key FILE, --tokens FILE too"),
        (["--audio", "a", "--listen", "[::]:0", "--certificate", "c", "--key", "k"], "it needs --tokens FILE too"),
        (["--audio", "a", "--listen", "192.0.2.1:80", "--tokens", "t"], "it needs --certificate FILE, --key FILE too"),
        (["--audio", "a", "--listen", "example.org:80"], "no address and port"),
        (["--audio", "a", "--listen", "127.0.0.1"], "no address and port"),
        (["--audio", "a", "--certificate", "c"], "--certificate and --key belong together"),
        (["--audio", "a", "--certificate", "c", "--key", "k"], "k: cannot be read"),
        (["--audio", "a", "--tokens", "t"], "t: cannot be read"),
        (["--audio", "a", "--behind-proxy"], "it needs --tokens FILE too"),
        (["--audio", "a", "--origin", "example.org"], "no origin"),
        (["--audio", "a", "--origin", "https://example.org/"], "no origin"),
        (["--audio", "a", "--most", "0"], "--most 0"),
        (["--audio", "a", "--most", "10000"], "10000: takes 20256 descriptors, of 4096"),
        (["--audio", "a", "--patience", "nan"], "--patience nan"),
        (["--audio", "a", "--log-level", "loud"], "--log-level 'loud'"),
        (["--new-token", "x"], "needs --tokens FILE"),
        (["--new-token", "a:b", "--tokens", "t"], "'a:b': no name"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(digitd: Run, tmp_path: Path, flags: list[str], why: str) -> None:
    limited = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (1024, 4096))
    ended = digitd("gateway", *flags, cwd=tmp_path, preexec_fn=limited)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert len(ended.stderr.splitlines()) == 1
    assert why in ended.stderr


def test_a_port_that_is_taken_is_told(gateway: Gateway, digitd: Run) -> None:
    ended = digitd("gateway", "--audio", "a", "--listen", f"127.0.0.1:{gateway.port}")
    assert ended.returncode == 2
    assert "it cannot be listened on (Address already in use)" in ended.stderr


def test_a_key_with_a_password_is_not_asked_about(digitd: Run, tmp_path: Path) -> None:
    flags = certify(tmp_path)
    command = ["openssl", "rsa", "-aes128", "-passout", "pass:x", "-in", "key.pem", "-out", "locked.pem"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    ended = digitd("gateway", "--audio", "a", *flags[:3], str(tmp_path / "locked.pem"))
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "locked.pem: is encrypted" in ended.stderr
    (tmp_path / "key.pem").chmod(0o644)
    assert "key.pem: others may read" in digitd("gateway", "--audio", "a", *flags).stderr


# Tokens, tries, addresses


def test_a_token_is_added_and_only_its_digest_is_kept(digitd: Run, tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    shown = [
        digitd("gateway", "--new-token", name, "--tokens", path).stdout.strip() for name in ("kitchen", "hall", "hall")
    ]
    assert path.stat().st_mode & 0o777 == 0o600
    assert not any(token in path.read_text() for token in shown)
    held = tokens.read(path)
    assert len(held) == 3
    assert [found.name for token in shown if (found := held.find(token))] == ["kitchen", "hall", "hall"]
    assert held.find("") is held.find(shown[0][:-1]) is held.find("\udcff") is None


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        ("a:" + 64 * "0", 0o644, "others may read or change it"),
        ("a:" + 64 * "0", 0o620, "others may read or change it"),
        ("# none\n\n", 0o600, "holds no token"),
        ("hunter2", 0o600, ":1: holds no name and digest"),
        ("# one\na:" + 64 * "0" + "\na:hunter2\n", 0o640, ":3: holds no name and digest"),
        ("\xff", 0o600, ":1: holds no name and digest"),
    ],
)
def test_a_file_of_tokens_that_cannot_be_one(tmp_path: Path, text: str, mode: int, why: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=why) as refused:
        tokens.read(path)
    assert "hunter2" not in str(refused.value)
    before = path.read_text()
    if "# none" not in text:
        with pytest.raises(ConfigError, match=why):
            tokens.add(path, "b")
        assert path.read_text() == before


@pytest.mark.parametrize("text", ["", "# none as yet\n", "# without an end of line", "a:" + 64 * "0"])
def test_a_token_is_added_whatever_an_editor_has_left(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens"
    path.write_text(text)
    path.chmod(0o600)
    token = tokens.add(path, "b")
    held = tokens.read(path)
    assert held.find(token) == Token("b", digest_of(token))
    assert len(held) == 1 + text.startswith("a:")


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_token_is_found_if_it_is_the_same(held: str, shown: str) -> None:
    token = Token("a", digest_of(held))
    assert Tokens((token,)).find(shown) == (token if held == shown else None)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 40)), max_size=60))
def test_who_is_wrong_too_often_waits(tries: list[tuple[int, float]]) -> None:
    """Against all that was ever tried, told from the beginning."""
    attempts, now_s = Attempts(), 0.0
    wrong: dict[int, list[float]] = {}
    shut_s: dict[int, float] = {}
    for who, pause_s in tries:
        now_s += pause_s
        left_s = max(0.0, shut_s.get(who, 0.0) - now_s)
        assert attempts.wait_s(str(who), now_s) == left_s
        if left_s:
            continue
        wrong.setdefault(who, []).append(now_s)
        recent = [at_s for at_s in wrong[who] if now_s - at_s < WINDOW_S]
        assert attempts.fail(str(who), now_s) == (len(recent) == MOST_WRONG)
        if len(recent) == MOST_WRONG:
            shut_s[who], wrong[who] = now_s + WAIT_S, []


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=2), max_size=200))
def test_of_any_number_only_so_many_are_remembered(origins: list[str]) -> None:
    attempts = Attempts(most_origins=4)
    for now_s, who in enumerate(origins):
        attempts.fail(who, float(now_s))
        assert len(attempts) <= 4


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_a_subscriber_of_ipv6_is_one(one: Any, low: int) -> None:
    other = type(one)((int(one) >> 64 << 64) + low)
    if not one.ipv4_mapped and not other.ipv4_mapped:
        assert origin(str(one)) == origin(str(other))
    assert origin(str(type(one)(int(one) ^ (1 << 64)))) != origin(str(one))


@given(st.text(max_size=30))
def test_any_text_stands_for_somebody(text: str) -> None:
    assert origin(origin(text)) == origin(text) or ":" in text


def test_ipv4_is_the_same_either_way() -> None:
    assert origin("::ffff:192.0.2.1") == origin("192.0.2.1") != origin("192.0.2.2")
    assert origin("fe80::1%eth0") == origin("fe80::2")


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_none(text: str) -> None:
    with suppress(ConfigError):
        assert address(text).port <= 65535


def test_addresses() -> None:
    assert address("localhost:1") == Address("127.0.0.1", 1)
    assert str(address("[::]:8320")) == "[::]:8320"
    assert not address("[::]:8320").is_near
    assert address("127.8.0.1:0").is_near
    assert not address("0.0.0.0:0").is_near
