"""Metrics: what a scrape tells, what it never tells, and clients that are no scrapes."""

import grp
import gzip
import http.client
import logging
import os
import re
import resource
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import get_args, get_type_hints

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import digitd
from digitd.daemon.errors import ConfigError, SinkError
from digitd.daemon.events import Body, Digit, End, Ready, Rejected, SourceState, String
from digitd.daemon.metrics import ABSENCES, OVERRUN_SHOWN_S, SIGNAL_TROUBLES, Metrics, MetricsConfig, watch_process
from digitd.daemon.metrics_server import CLIENT_S, MAX_CLIENTS, MetricsServer
from digitd.daemon.settings import parse

READY = Ready("stranger", "cpu", "mic", "always")
DIGIT = Digit("7", 0.98, 1.2, 1.6, 1.8)
REJECTED = Rejected("3", 0.4, 2.0, 2.4, 2.6)
STRING = String("77", 0.9, 1.0, 2.0, 2.7, "77", legal=True, far=False, n_best=())
SECRETS: tuple[Body, ...] = (DIGIT, REJECTED, STRING)

NEEDS_IPV6 = pytest.mark.skipif(not Path("/proc/net/if_inet6").is_file(), reason="this kernel has no IPv6")

Samples = dict[str, float]
Serve = Callable[[str], MetricsServer]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(secret=False)


@pytest.fixture
def serve(metrics: Metrics, tmp_path: Path) -> Iterator[Serve]:
    """Serves `metrics` at `listen`, where `unix:` is short for a path, until the test ends."""
    with ExitStack() as stack:

        def start(listen: str) -> MetricsServer:
            server = MetricsServer(MetricsConfig(f"unix:{tmp_path}/m" if listen == "unix:" else listen), metrics)
            stack.callback(server.close)
            return server

        yield start


def client(server: MetricsServer) -> socket.socket:
    address = MetricsConfig(server.listen).address
    connected = socket.socket(socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET)
    connected.settimeout(2 * CLIENT_S)
    try:
        connected.connect(str(address) if isinstance(address, Path) else address)
    except OSError:
        connected.close()
        raise
    return connected


def answer(server: MetricsServer, request: bytes = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") -> str:
    """What follows a good answer's head."""
    with client(server) as asking:
        asking.sendall(request)
        response = http.client.HTTPResponse(asking)
        response.begin()
        assert response.status == 200
        return response.read().decode()


def samples(text: str) -> Samples:
    """Value of each `name{label="value"}`, without those of the process and of when a counter began."""
    return {
        sample.name
        + ("{" + ",".join(f"{key}={value}" for key, value in sample.labels.items()) + "}")
        * bool(sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.startswith("process_") and not sample.name.endswith("_created")
    }


def state(server: MetricsServer) -> str:
    """The one state that is on."""
    found = samples(answer(server))
    (on,) = (name for name, value in found.items() if name.startswith("digitd_source_state{") and value)
    return on.partition("=")[2].rstrip("}")


def threads() -> list[threading.Thread]:
    """The servers' own, and their clients'."""
    return [each for each in threading.enumerate() if "process_request" in each.name or each.name == "metrics"]


def drive(metrics: Metrics, *bodies: Body) -> None:
    """All that a stream may tell."""
    metrics.take_in(0.02)
    for body in bodies:
        metrics.hear(body, 0.003)
        metrics.infer(25, 0.004)
        metrics.drop("events", 2)
    metrics.drop("readers")
    metrics.depth("socket_readers", lambda: 3)
    metrics.depth("socket_waiting_bytes", lambda: 170 * len(bodies), of_events=True)


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:0", pytest.param("[::1]:0", marks=NEEDS_IPV6)])
def test_a_scrape_of_a_port(serve: Serve, metrics: Metrics, listen: str) -> None:
    server = serve(listen)
    assert re.fullmatch(re.escape(listen[:-1]) + "[1-9][0-9]+", server.listen)
    metrics.take_in(1.5)
    with urllib.request.urlopen(f"http://{server.listen}/metrics", timeout=5) as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        assert samples(response.read().decode())["digitd_audio_seconds_total"] == 1.5


def test_a_scrape_of_a_socket_that_is_its_owners_alone(metrics: Metrics, tmp_path: Path) -> None:
    path = tmp_path / "m"
    for _ in range(3):
        server = MetricsServer(MetricsConfig(f"unix:{path}"), metrics)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert samples(answer(server))["digitd_audio_seconds_total"] == 0
        server.close()
        assert not path.exists()


def test_a_group_that_may_scrape_too(metrics: Metrics, tmp_path: Path) -> None:
    path, group = tmp_path / "m", grp.getgrgid([os.getgid(), *os.getgroups()][-1])
    server = MetricsServer(MetricsConfig(f"unix:{path}", group.gr_name), metrics)
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_gid) == (0o660, group.gr_gid)
    server.close()
    with pytest.raises(SinkError, match="'nogroup-at-all'"):
        MetricsServer(MetricsConfig(f"unix:{path}", "nogroup-at-all"), metrics)
    with pytest.raises(ValueError, match="group = 'wheel' cannot guard a port"):
        MetricsConfig("localhost:9100", "wheel")


def test_openmetrics_and_gzip_where_a_scrape_asks_for_them(serve: Serve) -> None:
    accepted = {"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "gzip"}
    request = urllib.request.Request(f"http://{serve('127.0.0.1:0').listen}/metrics", headers=accepted)
    with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310
        assert response.headers["Content-Encoding"] == "gzip"
        assert response.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        assert gzip.decompress(response.read()).endswith(b"# EOF\n")


def test_everything_that_is_counted(serve: Serve, metrics: Metrics) -> None:
    server = serve("unix:")
    drive(metrics, READY, DIGIT, DIGIT, REJECTED, STRING, SourceState("overrun", 0.5, 3.0), End(3.2))
    found = samples(answer(server))
    for name, value in {
        f"digitd_build_info{{version={digitd.__version__}}}": 1,
        "digitd_model_info{mode=always,model=stranger,provider=cpu}": 1,
        "digitd_audio_seconds_total": 0.02,
        "digitd_missing_audio_seconds_total{cause=overrun}": 0.5,
        "digitd_missing_audio_seconds_total{cause=away}": 0,
        "digitd_source_events_total{state=overrun}": 1,
        "digitd_digits_total{digit=7}": 2,
        "digitd_digits_total{digit=0}": 0,
        "digitd_rejected_total": 1,
        "digitd_strings_total{legal=true}": 1,
        "digitd_strings_total{legal=false}": 0,
        "digitd_inferences_total": 175,
        "digitd_inference_seconds_total": pytest.approx(0.028),
        "digitd_dropped_total{what=readers}": 1,
        "digitd_dropped_total{what=events}": 14,
        "digitd_socket_readers": 3,
        "digitd_socket_waiting_bytes": 1190,
        "digitd_digit_latency_seconds_bucket{le=0.2}": 0,  # 0.203 s
        "digitd_digit_latency_seconds_bucket{le=0.25}": 2,
        "digitd_digit_latency_seconds_count": 2,
        "digitd_digit_latency_seconds_sum": pytest.approx(0.406),
    }.items():
        assert found[name] == value, name


@pytest.mark.parametrize("hidden", ["nothing", "/proc/stat"])
def test_the_process_itself(tmp_path: Path, hidden: str) -> None:
    """Also in a sandbox that shows processes alone."""
    (tmp_path / "self").symlink_to("/proc/self")
    registry = CollectorRegistry()
    watch_process(registry, "/proc" if hidden == "nothing" else str(tmp_path))
    values = {
        line.split()[0]: float(line.split()[1])
        for line in generate_latest(registry).decode().splitlines()
        if line[0] != "#"
    }
    assert values["process_resident_memory_bytes"] > 2**20
    began_s = time.time() - Path("/proc/self").stat().st_ctime
    assert time.time() - values["process_start_time_seconds"] == pytest.approx(began_s, abs=3)
    assert values["process_open_fds"] > 3


def test_the_process_is_in_every_scrape(tmp_path: Path) -> None:
    server = MetricsServer(MetricsConfig(f"unix:{tmp_path}/m"), Metrics(secret=True))
    assert "\nprocess_resident_memory_bytes " in answer(server)
    server.close()


def test_a_model_that_is_switched_is_one_model(serve: Serve, metrics: Metrics) -> None:
    metrics.hear(READY, 0.0)
    metrics.hear(Ready("stranger", "cpu", "mic", "entry"), 0.0)
    (name,) = (name for name in samples(answer(serve("unix:"))) if name.startswith("digitd_model_info"))
    assert name == "digitd_model_info{mode=entry,model=stranger,provider=cpu}"


def test_queues_of_one_name_are_shown_as_their_sum(serve: Serve, metrics: Metrics) -> None:
    waiting = [1, 2]
    metrics.depth("socket_waiting_bytes", lambda: waiting[0])
    metrics.depth("socket_waiting_bytes", lambda: waiting[1])
    server = serve("unix:")
    assert samples(answer(server))["digitd_socket_waiting_bytes"] == 3
    waiting[0] = 40
    assert samples(answer(server))["digitd_socket_waiting_bytes"] == 42


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("", "starting"),
        ("audio", "listening"),
        ("audio lost", "lost"),
        ("audio stalled lost", "lost"),
        ("audio lost back", "listening"),
        ("audio lost back audio", "listening"),
        ("audio overrun", "overrun"),
        ("audio overrun audio", "overrun"),
        ("audio overrun minute", "listening"),
        ("audio overrun lost audio back", "overrun"),
        ("audio silent audio", "silent"),
        ("audio silent audio back", "listening"),
        ("audio silent lost audio back audio", "silent"),
        ("audio silent lost back audio back", "listening"),
        ("audio clipping overrun minute", "clipping"),
        ("audio clipping silent back audio", "silent"),
        ("audio clipping silent back audio back", "listening"),
        ("audio back", "listening"),
    ],
)
def test_the_state_of_the_source(serve: Serve, metrics: Metrics, told: str, shown: str) -> None:
    for word in told.split():
        if word in ("audio", "minute"):
            metrics.take_in(0.02 if word == "audio" else OVERRUN_SHOWN_S)
        else:
            metrics.hear(SourceState(word, 0.0, 1.0), 0.0)  # type: ignore[arg-type]
    assert state(serve("unix:")) == shown


def test_every_state_that_a_source_tells_is_known() -> None:
    hint = get_type_hints(SourceState)["state"]
    told = {state for member in get_args(hint) for state in (get_args(member) or (member,))}
    assert told == {*ABSENCES, *SIGNAL_TROUBLES, "overrun", "back"}


def test_a_secret_is_kept(tmp_path: Path) -> None:
    """What a scrape tells is the same whatever was said, and if nothing was."""
    texts = []
    for bodies in ((READY,), (READY, *SECRETS, DIGIT)):
        metrics = Metrics(secret=True)
        server = MetricsServer(MetricsConfig(f"unix:{tmp_path}/m"), metrics)
        drive(metrics, *bodies)
        texts.append(answer(server))
        server.close()
    assert samples(texts[0]) == samples(texts[1])
    assert samples(texts[0])["digitd_audio_seconds_total"] == 0.02
    assert samples(texts[0])["digitd_dropped_total{what=readers}"] == 1
    assert samples(texts[0])["digitd_socket_readers"] == 3
    assert not re.search(r"digit(?!d)|reject|string|word|latency|inference|events\"|waiting", texts[1], re.IGNORECASE)


def test_what_is_not_secret_would_have_been_found(serve: Serve, metrics: Metrics) -> None:
    drive(metrics, READY, *SECRETS)
    text = answer(serve("unix:"))
    for word in ("digit=", "rejected", "strings", "latency", "inference", 'events"', "waiting"):
        assert word in text


@pytest.mark.parametrize("listen", ["unix:", "127.0.0.1:0"])
def test_sleepers_and_garbage_change_nothing(
    serve: Serve, metrics: Metrics, listen: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digitd.daemon.metrics_server.CLIENT_S", 60.0)  # so nobody's sleep is over before the test is
    server, random = serve(listen), Random(7)  # noqa: S311 - garbage
    metrics.take_in(1.0)
    with ExitStack() as staying:
        for _ in range(2 * MAX_CLIENTS):
            staying.enter_context(client(server))
        before = answer(server)
        for n in range(200):
            garbage = staying.enter_context(client(server))
            with suppress(OSError):  # it may be hung up on while it sends
                start = random.choice([b"", b"\n", b"GET ", b"GET /", b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\n"])
                garbage.sendall(start + random.randbytes(random.choice([0, 1, 300, 100_000])))
                if n % 3 == 0:
                    garbage.shutdown(socket.SHUT_WR)
            if n % 5:
                garbage.close()
            if n % 10 == 0:
                assert samples(answer(server)) == samples(before)
        until_s = time.monotonic() + 5
        while len(threads()) > MAX_CLIENTS + 1 and time.monotonic() < until_s:
            time.sleep(0.01)  # those that were hung up on are about to end
        assert len(threads()) <= MAX_CLIENTS + 1
        assert capfd.readouterr() == ("", "")


def test_a_client_that_half_closes_is_answered(serve: Serve) -> None:
    with client(serve("unix:")) as asking:
        asking.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        asking.shutdown(socket.SHUT_WR)
        assert asking.makefile("rb").read().startswith(b"HTTP/1.0 200 OK\r\n")


def test_a_client_that_drips_is_hung_up_on(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digitd.daemon.metrics_server.CLIENT_S", 0.3)
    started_s = time.monotonic()
    with client(serve("unix:")) as dripping, suppress(BrokenPipeError):
        while time.monotonic() - started_s < 5:
            dripping.sendall(b"G")
            time.sleep(0.05)
    assert time.monotonic() - started_s < 2


@pytest.mark.parametrize(
    "request_", [b"GET / HTTP/1.1\r\nAccept: text/plain; version=x\r\n\r\n", b"HEAD / HTTP/1.1\r\n\r\n"]
)
def test_a_request_that_cannot_be_met_ends_with_itself(
    serve: Serve, request_: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    server = serve("unix:")
    with client(server) as asking:
        asking.sendall(request_)
        assert b"200 OK" not in asking.makefile("rb").read()
    assert answer(server)
    assert capfd.readouterr() == ("", "")


def test_a_queue_that_cannot_be_read_fails_its_scrape_and_is_logged(
    serve: Serve, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    metrics.depth("socket_readers", lambda: dict[str, float]()["gone"])
    server = serve("unix:")
    with client(server) as asking, caplog.at_level(logging.WARNING):
        asking.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert asking.makefile("rb").read() == b""
    assert "a scrape of the metrics failed: KeyError('gone'" in caplog.text


def test_without_a_free_descriptor_it_waits_and_burns_no_core(serve: Serve) -> None:
    server = serve("unix:")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(5)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (asking.fileno() + 1, limits[1]))
            holes = [os.open("/dev/null", os.O_RDONLY) for _ in range(10_000) if _is_one_free()]
            asking.connect(server.listen.removeprefix("unix:"))
            asking.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            cpu_s = time.process_time()
            time.sleep(0.5)
            assert time.process_time() - cpu_s < 0.2
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            for hole in holes:
                os.close(hole)
        assert asking.recv(15) == b"HTTP/1.0 200 OK"


@pytest.mark.parametrize("listen", ["unix:{}/m", "127.0.0.1:0"])
def test_it_closes_at_once_whoever_is_there(metrics: Metrics, listen: str, tmp_path: Path) -> None:
    server = MetricsServer(MetricsConfig(listen.format(tmp_path)), metrics)
    with client(server) as sleeper, client(server) as half:
        half.sendall(b"GET /metrics HTTP/1.1\r\n")
        time.sleep(0.1)
        started_s = time.monotonic()
        server.close()
        assert time.monotonic() - started_s < 0.5
        sleeper.settimeout(CLIENT_S / 2)  # else it would be dropped for its sleep
        assert sleeper.recv(1) == b""
        with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
            client(server)
    for thread in threads():
        thread.join(1.0)
    assert threads() == []


def test_a_path_that_another_has_taken_since_is_left(metrics: Metrics, tmp_path: Path) -> None:
    server = MetricsServer(MetricsConfig(f"unix:{tmp_path}/m"), metrics)
    (tmp_path / "m").rename(tmp_path / "old")
    (tmp_path / "m").write_text("another's")
    server.close()
    assert (tmp_path / "m").read_text() == "another's"


def test_a_port_or_path_that_is_taken(serve: Serve) -> None:
    taken = serve("127.0.0.1:0").listen
    with pytest.raises(SinkError, match=rf"metrics.listen = '{taken}': .*Address already in use"):
        serve(taken)
    serve("unix:")
    with pytest.raises(SinkError, match="a live process answers there"):
        serve("unix:")


@pytest.mark.parametrize(
    ("listen", "problem"),
    [
        ("0.0.0.0:9100", "is not loopback"),
        ("192.168.1.2:9100", "is not loopback"),
        ("[::]:9100", "is not loopback"),
        ("::1:9100", "is not loopback"),
        ("example.org:9100", "is not loopback"),
        ("127.0.0.1.example.org:80", "is not loopback"),
        ("@127.0.0.1:80", "is not loopback"),
        (":9100", "is not loopback"),
        ("localhost", "ends in no port"),
        ("localhost:", "ends in no port"),
        ("localhost:65536", "ends in no port"),
        ("localhost:-1", "ends in no port"),
        ("localhost:٩١٠٠", "ends in no port"),
        ("9100", "ends in no port"),
        ("unix:", "holds no path"),
        ("unix:a\0b", "holds no path"),
    ],
)
def test_what_is_refused(listen: str, problem: str) -> None:
    with pytest.raises(ValueError, match=rf"listen = .* {problem}.*; write unix:PATH, 127.0.0.1:PORT"):
        MetricsConfig(listen)


@dataclass(frozen=True)
class Composed:
    metrics: MetricsConfig


def test_a_file_names_the_line() -> None:
    with pytest.raises(ConfigError, match=r"^f\.toml:1: metrics: listen = '0\.0\.0\.0:80' is not loopback"):
        parse(Composed, '[metrics]\nlisten = "0.0.0.0:80"', "f.toml")


LISTENS = st.text() | st.from_regex(r"(unix|localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]|.{0,3}):.{0,6}", fullmatch=True)


@given(LISTENS)
@example("[::1]:1\n")
@example("unix:\udc80")
def test_any_text_is_refused_or_reached_from_here_alone(listen: str) -> None:
    with suppress(ValueError):
        config = MetricsConfig(listen)
        if listen:
            address = config.address
            assert isinstance(address, Path) or (address[0] in ("127.0.0.1", "::1") and 0 <= address[1] <= 65535)
            assert isinstance(address, Path) == listen.startswith("unix:")


def test_without_the_library_the_remedy_is_told_and_the_rest_does_not_need_it() -> None:
    program = """
import sys
from digitd.daemon import metrics, metrics_server
assert "prometheus_client" not in sys.modules
sys.modules["prometheus_client"] = None  # as where it is not installed
metrics.MetricsConfig("localhost:0")
metrics.Metrics(secret=False)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "digitd.daemon.errors.ConfigError: metrics.listen needs prometheus-client; "
        "install it with `pip install 'digitd[metrics]'`"
    )


def _is_one_free() -> bool:
    """Whether a descriptor is free."""
    try:
        os.close(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        return False
    return True
