"""Calls over RTP, through a real daemon: packets of ffmpeg and GStreamer, and ways that lose and mix them."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import DEMO, DEMO_DIGITS
from tests.daemon.conftest import COMMAND, Daemon
from tests.daemon.telephony import Relay, Talker, Telephone, Way, begun, demo_at, free_ports, said

N_PORTS = 20
IDLE_S = 1.0
FFMPEG = ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", str(DEMO)]
AS_TELEPHONES_DO = ["-af", "aresample=8000,asetnsamples=n=160,arealtime", "-ac", "1"]
"""Packets of 20 ms, each at its time."""
GSTREAMER = [
    *("gst-launch-1.0", "-q", "filesrc", f"location={DEMO}", "!", "flacparse", "!", "flacdec", "!", "audioconvert"),
    *("!", "audioresample", "!", "audio/x-raw,rate=8000,channels=1", "!", "alawenc", "!", "rtppcmapay", "!"),
    *("udpsink", "host=127.0.0.1"),
]
FIRST_DIGITS = DEMO_DIGITS[:3]
FIRST_S = 2.75
"""They are said by then."""

Talk = Callable[..., Talker]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("telephony") / "calls"


@pytest.fixture(scope="module")
def daemon(path: Path) -> Iterator[Daemon]:
    with closing(begun(path)) as running:
        yield running


@pytest.fixture(scope="module")
def first_port() -> int:
    return free_ports(N_PORTS)


@pytest.fixture(scope="module")
def ports(first_port: int) -> Iterator[int]:
    """One for each test."""
    return iter(range(first_port, first_port + N_PORTS, 2))


@pytest.fixture
def port(ports: Iterator[int]) -> int:
    return next(ports)


@pytest.fixture(scope="module")
def telephone(path: Path, daemon: Daemon, first_port: int) -> Iterator[Telephone]:
    assert daemon.process.poll() is None
    rtp = f"127.0.0.1:{first_port}-{first_port + N_PORTS - 1}"
    with closing(Telephone(path, "--rtp", rtp, "--idle-s", str(IDLE_S))) as running:
        running.logged("hears .*RTP")
        yield running


@pytest.fixture
def talk(port: int) -> Iterator[Talk]:
    """Those who speak at the test's port."""
    with ExitStack() as stack:
        yield lambda ssrc, payload_type=0: stack.enter_context(closing(Talker(port, ssrc, payload_type)))


def begin(n: float = FIRST_S) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    """The demo's first digits."""
    return demo_at(8000)[: int(n * 8000)]


def test_senders_are_heard_on_good_ways_and_bad_ones(telephone: Telephone, ports: Iterator[int]) -> None:
    """All at once, as it takes as long as the demo."""
    ways = {
        "good": Way(),
        "mixed": Way(doubles=0.1, latest_s=0.055),
        "lossy": Way(loss=0.01, doubles=0.05, latest_s=0.05),
    }
    numbers = {name: next(ports) for name in ("gstreamer", "bursts", *ways)}
    with ExitStack() as stack:
        relays = {name: stack.enter_context(closing(Relay(way, numbers[name]))) for name, way in ways.items()}
        senders = [
            *([*FFMPEG, *AS_TELEPHONES_DO, "-c:a", "pcm_mulaw", *rtp_to(relay.port)] for relay in relays.values()),
            [*FFMPEG[:-2], "-re", *FFMPEG[-2:], "-ar", "8000", "-c:a", "pcm_alaw", *rtp_to(numbers["bursts"])],
            [*GSTREAMER, f"port={numbers['gstreamer']}"],
        ]
        running = [subprocess.Popen(sender, stdout=subprocess.DEVNULL) for sender in senders]
        assert [process.wait() for process in running] == [0] * len(senders)
    events = {
        name: telephone.call(telephone.logged(rf"(rtp-{number}-\w+) begins")[1]) for name, number in numbers.items()
    }
    assert {name: said(heard) for name, heard in events.items()} == dict.fromkeys(numbers, DEMO_DIGITS)
    starts = {name: [each["start_s"] for each in heard if each["type"] == "digit"] for name, heard in events.items()}
    places = {name: np.subtract(of_digits, of_digits[0]) for name, of_digits in starts.items()}
    for name in ("mixed", "lossy", "gstreamer"):
        assert places[name] == pytest.approx(places["good"], abs=0.06)
    assert relays["lossy"].n_lost > 0
    assert relays["mixed"].n_overtaken > 50


def rtp_to(port: int) -> list[str]:
    return ["-f", "rtp", f"rtp://127.0.0.1:{port}"]


def test_silence_that_is_not_sent_decides_what_was_said(telephone: Telephone, talk: Talk, port: int) -> None:
    talker = talk(0xABCDEF01, 8)
    talker.say(begin())
    talker.send(talker.packet(b"\x40", 13))  # comfort noise, and nothing for longer than who has left is waited for
    for _ in range(10):
        talker.send(talker.packet(b"\1\x0a\0\xa0", 101))  # a key: telephone-event
    talker.pause(int(8000 * (IDLE_S + 1)))
    while telephone.event()["type"] != "string":
        pass
    talker.say(begin())
    talker.leave(port + 1)
    events = telephone.call(f"rtp-{port}-abcdef01")
    assert said(events) == FIRST_DIGITS
    assert events[-1]["emitted_s"] == pytest.approx(2 * FIRST_S + IDLE_S + 1, abs=0.1)


def test_speakers_of_one_port_are_streams_of_their_own(telephone: Telephone, talk: Talk, port: int) -> None:
    talkers, speech = [talk(ssrc) for ssrc in range(1, 7)], begin()
    for at in range(0, len(speech), 160):
        for talker in talkers:
            talker.say(speech[at : at + 160])
    for talker in talkers[1:4]:
        talker.leave(port)  # where RTP and RTCP share a port
    for ssrc in range(1, 5):  # the first leaves by his silence
        assert said(telephone.call(f"rtp-{port}-{ssrc:08x}")) == FIRST_DIGITS
    telephone.logged(f"port {port}: 1 datagrams were dropped, the last: 4 speak here already")


def test_a_leap_in_time_begins_another_stream(telephone: Telephone, talk: Talk, port: int) -> None:
    talker = talk(7)
    talker.say(begin())
    talker.timestamp += 100 * 8000
    talker.say(begin())
    talker.leave(port)
    for stream in (f"rtp-{port}-00000007", f"rtp-{port}-00000007-2"):
        assert said(telephone.call(stream)) == FIRST_DIGITS


def test_who_leaps_on_and_on_does_not_keep_the_daemon_busy_with_silence(
    telephone: Telephone, talk: Talk, port: int
) -> None:
    talker = talk(12)
    talker.say(begin(0.5))
    for _ in range(20):
        for _ in range(2):  # one alone would be a stray
            talker.send(talker.packet(bytes(160)))
            talker.timestamp += 160
        talker.timestamp += 2 * 8000
    telephone.logged(f"rtp-{port}-0000000c: its sound is more than 10 s ahead of time; the stream ends")
    assert telephone.call(f"rtp-{port}-0000000c")[-1]["emitted_s"] < 11


def test_what_is_no_rtp_disturbs_nobody(telephone: Telephone, talk: Talk, port: int) -> None:
    talker, speech = talk(8), begin()
    with socket.socket(type=socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))
        for n, at in enumerate(range(0, len(speech), 160)):
            talker.say(speech[at : at + 160])
            for datagram in (b"", b"hello", bytes(5000), b"\x80\xcb", talker.packet(bytes(160))):
                stranger.sendto(datagram, ("127.0.0.1", port))
            talker.sequence -= 1
            stranger.sendto(b"\x81\xcb\0\1\0\0\0\x08", ("127.0.0.1", port + n % 2))  # his BYE, in his name
    talker.leave(port)
    assert said(telephone.call(f"rtp-{port}-00000008")) == FIRST_DIGITS
    telephone.logged(f"port {port}: 1 datagrams were dropped")


def test_callers_are_heard_again_when_the_daemon_is(tmp_path: Path) -> None:
    path, port = tmp_path / "calls", free_ports(2)
    with closing(Telephone(path, "--rtp", f"127.0.0.1:{port}")) as telephone, closing(Talker(port, 9)) as talker:
        telephone.logged("hears .*RTP")
        talker.say(begin(0.5))
        telephone.logged("nobody answers")
        with closing(begun(path)) as first:
            talker.say(begin(2.0))
            assert first.until(type="ready")["stream"] == f"rtp-{port}-00000009"
        path.unlink()
        with closing(begun(path)) as second:
            while second.says_nothing(0.01):
                talker.say(np.zeros(160, np.int16))
            talker.say(begin())
            telephone.stop()
            events = telephone.call(f"rtp-{port}-00000009")
            anew = max(n for n, event in enumerate(events) if event["type"] == "ready")
            assert said(events[anew:]) == FIRST_DIGITS
            assert second.until(type="end")["stream"] == f"rtp-{port}-00000009"


def test_one_that_is_killed_is_followed_by_another_in_the_midst_of_a_call(path: Path, daemon: Daemon) -> None:
    port = free_ports(2)
    assert daemon.process.poll() is None
    with closing(Talker(port, 11)) as talker:
        with closing(Telephone(path, "--rtp", f"127.0.0.1:{port}")) as first:
            first.logged("hears")
            talker.say(begin(1.0))
            first.logged("begins")
        with closing(Telephone(path, "--rtp", f"127.0.0.1:{port}")) as second:
            second.logged("hears")
            talker.say(begin())
            talker.leave(port + 1)
            assert said(second.call(f"rtp-{port}-0000000b")) == FIRST_DIGITS


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ([], "no calls can come in; give --audiosocket 127.0.0.1:9092"),
        (["--rtp", "0.0.0.0:4000"], "'0.0.0.0:4000' can be reached by other machines"),
        (["--audiosocket", "phone:4000"], "'phone:4000' is no address"),
        (["--audiosocket", "9092"], "'9092' is no address"),
        (["--rtp", "127.0.0.1:4099-4000"], "the first of a range first"),
        (["--rtp", "127.0.0.1:1000-9000"], "8001 ports are more than 500"),
        (["--rtp", "127.0.0.1:65535"], "from 1 to 65534"),
        (["--rtp", "127.0.0.1:4000", "--depth-ms", "5000"], "--depth-ms 5000: must be 0 to 1000"),
        (["--rtp", "127.0.0.1:4000", "--calls", "0"], "--calls 0: must be 1 to 400"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(flags: list[str], told: str) -> None:
    done = subprocess.run([*COMMAND, "telephone", "calls", *flags], capture_output=True, text=True)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_told(path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [*COMMAND, "telephone", str(path), "--audiosocket", address], capture_output=True, text=True
        )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"--audiosocket {address}: it cannot be listened on (Address already in use)" in done.stderr


def test_other_machines_come_in_where_that_is_wanted(path: Path) -> None:
    with closing(Telephone(path, "--anyone", "--audiosocket", "0.0.0.0:0")) as telephone:
        telephone.logged(r"WARNING: 0.0.0.0:0: whoever reaches it can use it")
        telephone.stop()


def test_addresses_of_the_other_loopback_are_told_as_they_are_given(path: Path) -> None:
    flags = ["--audiosocket", "[::1]:0", "--rtp", f"[::1]:{(port := free_ports(2))}"]
    with closing(Telephone(path, *flags)) as telephone:
        telephone.logged(rf"AudioSocket \[::1\]:\d+, RTP \[::1\]:{port}-{port + 1}")
        telephone.stop()


def test_a_reader_who_leaves_ends_it(path: Path, daemon: Daemon) -> None:
    port = free_ports(2)
    assert daemon.process.poll() is None
    with closing(Telephone(path, "--rtp", f"127.0.0.1:{port}")) as telephone, closing(Talker(port, 10)) as talker:
        telephone.logged("hears .*RTP")
        assert telephone.process.stdout is not None
        telephone.process.stdout.close()
        talker.say(begin(0.5))
        until_s = time.monotonic() + 10
        while telephone.process.poll() is None:
            assert time.monotonic() < until_s
            time.sleep(0.01)
        assert telephone.process.returncode == 0
