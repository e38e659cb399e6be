"""Events at a real broker: mosquitto, which is restarted, stopped and kept away."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import DEMO, DEMO_DIGITS
from tests.daemon.conftest import COMMAND, Daemon
from tests.daemon.mosquitto import Mosquitto, Subscriber, free_port, until

from digitd.daemon.config import DaemonConfig, compose
from digitd.daemon.errors import ConfigError, SinkError
from digitd.daemon.events import Digit, Event, Ready, Stamp
from digitd.daemon.mode_switch import ModeSwitch
from digitd.daemon.sinks.mqtt import MqttSink
from digitd.daemon.sinks.mqtt_address import parsed
from digitd.daemon.sinks.mqtt_config import MqttConfig
from digitd.daemon.sinks.sink import Surroundings, open_sink

DIGIT = Digit("7", 0.98, 1.2, 1.6, 1.8)
READY = Ready("study64", "cpu", "mic", "always")
WORDS = "open sesame"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """One that anybody may use."""
    server = Mosquitto(tmp_path).start()
    yield server
    server.close()


@pytest.fixture
def subscribe(broker: Mosquitto) -> Iterator[Callable[..., Subscriber]]:
    """Starts subscribers, and returns once the broker knows of them."""
    started: list[Subscriber] = []

    def start(topic: str = "home/#", *flags: str, **given: Any) -> Subscriber:
        known = broker.log.count("Sending SUBACK")
        started.append(Subscriber(broker.port, topic, *flags, **given))
        until(lambda: broker.log.count("Sending SUBACK") > known)
        return started[-1]

    yield start
    for each in started:
        each.close()


class Around:
    """A sink's surroundings, and what was dropped."""

    def __init__(self, *, live: bool = False, secret: bool = False, **given: Any) -> None:
        self.dropped = 0
        self.stop = threading.Event()
        config = MqttConfig(**given)
        self.surroundings = Surroundings(
            self.stop, ModeSwitch("always"), live=live, secret=secret, mqtt_config=config, count_dropped=self._count
        )

    def _count(self, what: str, count: int) -> None:
        assert what == "events"
        self.dropped += count


def events(count: int, stamp: Stamp | None = None) -> list[Event]:
    stamp = stamp or Stamp("mic")
    return [stamp.event(DIGIT) for _ in range(count)]


def seqs(subscriber: Subscriber) -> list[int]:
    """Numbers of the digits that came, in the order in which they came."""
    return [json.loads(payload)["seq"] for _, topic, payload in list(subscriber.came) if topic.endswith("/digit")]


def first_times(numbers: list[int]) -> list[int]:
    """Without those that came again."""
    return list(dict.fromkeys(numbers))


def url(port: int, topic: str = "home/digitd") -> str:
    return f"mqtt://127.0.0.1:{port}/{topic}"


def test_each_event_has_a_topic_of_its_stream_and_type(broker: Mosquitto, subscribe: Callable[..., Subscriber]) -> None:
    reader = subscribe()
    sinks = ["--sink", url(broker.port), "--sink", "stdout:jsonl"]
    done = subprocess.run([*COMMAND, "run", "--source", str(DEMO), *sinks], capture_output=True, text=True, check=True)
    published = done.stdout.splitlines()
    assert done.stderr == ""
    until(lambda: len(reader.came) == len(published) + 2)
    assert reader.came[0] == (False, "home/digitd/status", "online")
    assert reader.came[-1] == (False, "home/digitd/status", "offline")
    assert [payload for _, _, payload in reader.came[1:-1]] == published
    for _, topic, payload in reader.came[1:-1]:
        event = json.loads(payload)
        assert topic == f"home/digitd/{event['stream']}/{event['type']}"
    assert [each["digit"] for each in map(json.loads, published) if each["type"] == "digit"] == list(DEMO_DIGITS)
    late = subscribe(keeps=False)
    until(lambda: len(late.came) == 2)
    kept = {topic: (retained, payload) for retained, topic, payload in late.came}
    assert kept["home/digitd/status"] == (True, "offline")
    assert kept[f"home/digitd/{DEMO.name}/ready"] == (True, published[0])


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_broker_that_restarts_again_and_again_misses_nothing(
    broker: Mosquitto, subscribe: Callable[..., Subscriber], protocol: str
) -> None:
    reader = subscribe()
    around = Around(live=True, protocol=protocol, client_id="digitd")
    sink = MqttSink(url(broker.port), around.surroundings)
    stamp, slowest_s = Stamp("mic"), 0.0

    def restart() -> None:
        for _ in range(4):
            broker.restart()

    restarts = threading.Thread(target=restart)
    restarts.start()
    count = 0
    while restarts.is_alive() or count < 500:
        began_s = time.monotonic()
        sink.publish(*events(1, stamp))
        slowest_s = max(slowest_s, time.monotonic() - began_s)
        count += 1
        time.sleep(0.001)  # the pace of the source
    restarts.join()
    until(lambda: len(first_times(seqs(reader))) == count)
    sink.close()
    assert first_times(seqs(reader)) == list(range(count))
    assert around.dropped == 0
    assert slowest_s < 0.1
    assert [payload for _, topic, payload in reader.came if topic.endswith("/status")].count("online") > 1


@pytest.mark.parametrize("qos", [0, 1])
def test_10_000_events_of_a_recording_are_delivered_before_the_end(
    broker: Mosquitto, subscribe: Callable[..., Subscriber], qos: int
) -> None:
    reader = subscribe()
    around = Around(qos=qos, most_waiting=300)
    sink = MqttSink(url(broker.port), around.surroundings)
    for event in events(10_000):
        sink.publish(event)
        assert sink.backlog.waiting_events <= 300
    sink.close()
    assert (sink.backlog.waiting_events, around.dropped) == (0, 0)
    until(lambda: len(seqs(reader)) == 10_000)
    assert seqs(reader) == list(range(10_000))


def test_a_broker_that_comes_late_has_it_all(broker: Mosquitto, caplog: pytest.LogCaptureFixture) -> None:
    broker.stop()
    sink = MqttSink(url(broker.port), Around(live=True).surroundings)
    assert f"{url(broker.port)}: no broker there (Connection refused); trying again" in caplog.text
    for event in events(300):
        sink.publish(event)
    assert sink.backlog.waiting_events == 300
    broker.start()
    until(lambda: sink.backlog.waiting_events == 0)
    assert caplog.text.count("no broker there") == 1
    assert caplog.text.count("the broker is there") == 1
    sink.close()
    until(lambda: broker.log.count("Received PUBLISH") == 302)  # with online and offline


def test_a_broker_that_stops_reading_holds_nobody_up(
    broker: Mosquitto, subscribe: Callable[..., Subscriber], caplog: pytest.LogCaptureFixture
) -> None:
    reader = subscribe()
    around = Around(live=True, most_waiting=2000, keepalive_s=1)
    sink = MqttSink(url(broker.port), around.surroundings)
    sent = events(6000)
    for event in sent[:100]:
        sink.publish(event)
    until(lambda: sink.backlog.waiting_events == 0)
    broker.send(signal.SIGSTOP)
    slowest_s = 0.0
    for event in sent[100:4000]:
        began_s = time.monotonic()
        sink.publish(event)
        slowest_s = max(slowest_s, time.monotonic() - began_s)
    assert slowest_s < 0.1
    assert sink.backlog.waiting_events == 2000
    assert around.dropped == 1900
    until(lambda: "no broker there" in caplog.text)  # it does not answer a ping
    broker.send(signal.SIGCONT)
    until(lambda: sink.backlog.waiting_events == 0)
    for event in sent[4000:]:
        sink.publish(event)
    until(lambda: sink.backlog.waiting_events == 0)
    sink.close()
    assert first_times(seqs(reader)) == [*range(2100), *range(4000, 6000)]
    assert caplog.text.count("2000 events wait; more are dropped") == 1
    assert caplog.text.count("1900 events were dropped; their numbers are missing") == 1


@pytest.mark.parametrize("live", [True, False])
def test_an_end_without_a_broker_is_bounded_and_told(caplog: pytest.LogCaptureFixture, *, live: bool) -> None:
    around = Around(live=live, patience_s=0.7)
    sink = MqttSink(url(free_port()), around.surroundings)
    for event in events(5):
        sink.publish(event)
    began_s = time.monotonic()
    sink.close()
    took_s = time.monotonic() - began_s
    assert (took_s < 0.55) if live else (0.7 <= took_s < 1.3)
    assert "the broker did not confirm 5 last events" in caplog.text
    assert around.dropped == 5


def test_a_stop_ends_the_patience_with_a_broker_that_is_away() -> None:
    around = Around()
    sink = MqttSink(url(free_port()), around.surroundings)
    sink.publish(*events(1))
    threading.Timer(0.3, around.stop.set).start()
    began_s = time.monotonic()
    sink.close()
    assert time.monotonic() - began_s < 1.0


def test_a_recording_waits_for_room_and_then_no_longer(caplog: pytest.LogCaptureFixture) -> None:
    around = Around(most_waiting=10, patience_s=0.3)
    sink = MqttSink(url(free_port()), around.surroundings)
    began_s = time.monotonic()
    for event in events(50):
        sink.publish(event)
    assert 0.3 <= time.monotonic() - began_s < 1.0  # once, not for each
    sink.close()
    assert (around.dropped, caplog.text.count("more are dropped")) == (50, 1)


def test_a_daemon_that_is_killed_is_offline(broker: Mosquitto, subscribe: Callable[..., Subscriber]) -> None:
    reader = subscribe("home/digitd/status")
    daemon = Daemon("--sink", url(broker.port))
    until(lambda: [payload for *_, payload in reader.came] == ["online"])
    daemon.close()
    until(lambda: [payload for *_, payload in reader.came] == ["online", "offline"])


def test_ready_is_retained_unless_it_is_not_wanted(broker: Mosquitto, subscribe: Callable[..., Subscriber]) -> None:
    for kept in (True, False):
        sink = MqttSink(url(broker.port, f"home/{kept}"), Around(retain_ready=kept).surroundings)
        sink.publish(Stamp("mic").event(READY))
        sink.close()
    late = subscribe(keeps=False)
    until(lambda: len(late.came) == 3)
    assert {topic for _, topic, _ in late.came} == {"home/True/status", "home/False/status", "home/True/mic/ready"}


def test_a_stream_may_be_named_anything(broker: Mosquitto, subscribe: Callable[..., Subscriber]) -> None:
    reader = subscribe()
    sink = MqttSink(url(broker.port), Around().surroundings)
    for name in ("a/b", "+", "#", "50 %", "Küche", "", "\x00\n", "$SYS"):
        sink.publish(*events(1, Stamp(name)))
    sink.close()
    until(lambda: len(seqs(reader)) == 8)
    topics = [topic.removeprefix("home/digitd/") for _, topic, _ in reader.came if not topic.endswith("/status")]
    levels = ["a%2Fb", "%2B", "%23", "50 %25", "Küche", "", "%00%0A", "$SYS"]
    assert topics == [f"{level}/digit" for level in levels]


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    """A broker's passwords, with that of `digitd`; it may publish under home/digitd alone."""
    path = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(path), "digitd", WORDS], check=True, capture_output=True)
    (tmp_path / "acl").write_text("user digitd\ntopic write home/digitd/#\n")
    (tmp_path / "password").write_text(f"{WORDS}\n")
    return path


@pytest.fixture
def guarded(tmp_path: Path, passwords: Path) -> Iterator[Mosquitto]:
    """A broker that asks for a password."""
    lines = ["allow_anonymous false", f"password_file {passwords}", f"acl_file {tmp_path / 'acl'}"]
    server = Mosquitto(tmp_path, *lines).start()
    yield server
    server.close()


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_wrong_password_is_told_at_the_start(guarded: Mosquitto, tmp_path: Path, protocol: str) -> None:
    sink = f"mqtt://digitd@127.0.0.1:{guarded.port}/home/digitd"
    for text in ("shut barley", "", None):
        given: dict[str, Any] = {"protocol": protocol}
        if text is not None:
            (tmp_path / "password").write_text(text)
            given["password_file"] = str(tmp_path / "password")
        with pytest.raises(SinkError) as refused:
            MqttSink(sink, Around(**given).surroundings)
        assert "is empty" in str(refused.value) if text == "" else "authori" in str(refused.value).lower()
        assert "shut barley" not in str(refused.value)


def test_a_broker_that_refuses_us_ends_the_run(guarded: Mosquitto) -> None:
    sink = ["--sink", f"mqtt://nobody@127.0.0.1:{guarded.port}/home/digitd"]
    done = subprocess.run([*COMMAND, "run", "--source", str(DEMO), *sink], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "the broker cannot be used: Not authorized; look at mqtt.username" in done.stderr


def test_the_right_password_opens(guarded: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    around = Around(username="digitd", password_file=str(tmp_path / "password"))
    sink = MqttSink(url(guarded.port), around.surroundings)
    sink.publish(*events(1))
    sink.close()
    assert (around.dropped, caplog.text) == (0, "")
    assert "/home/digitd/mic/digit" in guarded.log.replace("'", "/")


def test_a_topic_that_the_broker_denies_is_told(
    guarded: Mosquitto, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    around = Around(username="digitd", password_file=str(tmp_path / "password"), patience_s=2.0)
    sink = MqttSink(url(guarded.port, "somewhere/else"), around.surroundings)
    for event in events(5):
        sink.publish(event)
    sink.close()
    assert around.dropped == 5
    assert "may we" in caplog.text  # mosquitto 2.0.11 answers as it should and then hangs up
    assert caplog.text.count("WARNING") <= 5
    assert guarded.log.count("New client connected") < 10


def test_two_daemons_of_one_client_id_do_not_wear_the_broker_out(
    broker: Mosquitto, caplog: pytest.LogCaptureFixture
) -> None:
    first = MqttSink(url(broker.port), Around(live=True, client_id="same").surroundings)
    second = MqttSink(url(broker.port), Around(live=True, client_id="same").surroundings)
    time.sleep(3.0)
    assert "no broker there (it has gone)" in caplog.text
    assert 2 < broker.log.count("New client connected") < 20
    first.close()
    second.close()


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A certificate authority of our own, and a certificate of localhost from it: ca.pem, server.pem, server.key."""
    script = """
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority 2>/dev/null
    openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost 2>/dev/null
    printf 'subjectAltName=DNS:localhost' >names
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -out server.pem -days 2 -extfile names 2>/dev/null
    """
    subprocess.run(["bash", "-euc", script], cwd=tmp_path, check=True)
    return tmp_path


@pytest.fixture
def encrypted(tmp_path: Path, authority: Path, passwords: Path) -> Iterator[Mosquitto]:
    """A broker that speaks TLS and asks for a password."""
    tls = [f"certfile {authority / 'server.pem'}", f"keyfile {authority / 'server.key'}"]
    server = Mosquitto(tmp_path, *tls, "allow_anonymous false", f"password_file {passwords}").start()
    yield server
    server.close()


def test_tls(encrypted: Mosquitto, authority: Path, caplog: pytest.LogCaptureFixture) -> None:
    given: dict[str, Any] = {"ca_file": str(authority / "ca.pem"), "password_file": str(authority / "password")}
    sink = MqttSink(f"mqtts://digitd@localhost:{encrypted.port}/home/digitd", Around(live=True, **given).surroundings)
    for event in events(2000):
        sink.publish(event)
    until(lambda: sink.backlog.waiting_events == 0)
    encrypted.restart()
    for event in events(2000):
        sink.publish(event)
    until(lambda: sink.backlog.waiting_events == 0)
    sink.close()
    assert "did not confirm" not in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves such a socket to Python
@pytest.mark.parametrize(
    ("host", "given", "message"),
    [
        ("localhost", {}, "its certificate is not trusted .*; name the authority that signed it in mqtt.ca_file"),
        ("127.0.0.1", {"ca_file": "ca.pem"}, "its certificate is not trusted .*127.0.0.1"),
        ("localhost", {"ca_file": "none.pem"}, "none.pem: no certificates can be read there .No such file"),
        ("localhost", {"ca_file": "names"}, "names: no certificates can be read there"),
    ],
)
def test_a_certificate_that_nobody_vouches_for_is_refused(
    encrypted: Mosquitto, authority: Path, host: str, given: dict[str, str], message: str
) -> None:
    files: dict[str, Any] = {key: str(authority / name) for key, name in given.items()}
    with pytest.raises(SinkError, match=message):
        MqttSink(f"mqtts://{host}:{encrypted.port}/home/digitd", Around(**files).surroundings)


def test_a_password_never_goes_unencrypted_over_a_network(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(WORDS)
    given: dict[str, Any] = {"username": "digitd", "password_file": str(tmp_path / "password")}
    for host in ("broker.example", "192.0.2.1", "[2001:db8::1]"):
        with pytest.raises(SinkError, match="the password would go unencrypted over the network; use mqtts://"):
            MqttSink(f"mqtt://{host}/home/digitd", Around(**given).surroundings)


def test_secret_digits_in_the_clear_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    MqttSink(f"mqtt://192.0.2.1:{free_port()}/home", Around(secret=True, live=True).surroundings).close()
    assert "secret = true, and digits go unencrypted over the network" in caplog.text


@pytest.mark.parametrize("secret", [True, False])
def test_digits_are_in_no_log(broker: Mosquitto, caplog: pytest.LogCaptureFixture, *, secret: bool) -> None:
    caplog.set_level("DEBUG")
    sink = MqttSink(url(broker.port), Around(secret=secret).surroundings)
    sink.publish(*events(1))
    sink.close()
    assert '"digit"' not in caplog.text


def test_a_password_in_the_address_is_refused_and_never_shown(tmp_path: Path) -> None:
    spoken = "mqtt://digitd:hunter2@127.0.0.1/home/digitd"
    (tmp_path / "digitd.toml").write_text(f'sinks = ["{spoken}"]\n')
    for arguments in (
        ["run", "--sink", spoken], ["config", "--sink", spoken], ["config", "--config", "digitd.toml"]
    ):  # fmt: skip
        done = subprocess.run([*COMMAND, *arguments], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (2, "")
        assert "mqtt://digitd:...@127.0.0.1/home/digitd" in done.stderr.replace("USER", "digitd")
        assert "hunter2" not in done.stderr
    with pytest.raises(SinkError, match="for all to see") as refused:
        open_sink(spoken, Around().surroundings)
    assert "hunter2" not in str(refused.value)


def test_the_file_of_a_password_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="there is no name for this password"):
        MqttSink(url(1883), Around(password_file=str(tmp_path)).surroundings)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name, message in (("none", "No such file"), ("binary", "no UTF-8")):
        with pytest.raises(SinkError, match=message):
            MqttSink(url(1883), Around(username="a", password_file=str(tmp_path / name)).surroundings)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mqtt://host", "is no topic"),
        ("mqtt://host/", "is no topic"),
        ("mqtt:///topic", "no broker's address"),
        ("mqtt:host/topic", "no broker's address"),
        ("mqtt://host/a/#", "no broker's address"),
        ("mqtt://host/a/%23", "is no topic"),
        ("mqtt://host/a/+/b", "is no topic"),
        ("mqtt://host/$SYS/a", "is no topic"),
        ("mqtt://host:99999/a", "out of range"),
        ("mqtt://host:0/a", "no broker's address"),
        ("mqtt://host:many/a", "many"),
        ("mqtt://[::1/a", "Invalid IPv6"),
        ("mqtt://a..b/a", "label"),
    ],
)
def test_what_is_no_address_is_refused(spec: str, message: str) -> None:
    with pytest.raises(SinkError, match=message) as refused:
        parsed(spec)
    assert "\n" not in str(refused.value)


def test_addresses() -> None:
    plain, full = parsed("mqtt://broker.example/home"), parsed("mqtts://o%40me@[::1]:1/a/b%20c/")
    assert (plain.host, plain.port, plain.topic, plain.username) == ("broker.example", 1883, "home", "")
    assert (full.host, full.port, full.topic, full.username) == ("::1", 1, "a/b c", "o@me")
    assert (plain.private, full.private, parsed("mqtt://localhost/a").private) == (False, True, True)
    assert parsed("mqtts://broker.example/a").port == 8883


def test_settings() -> None:
    config = compose(None, {"mqtt": {"username": "digitd", "qos": 0, "password_file": "/run/credentials/x"}})
    assert (config.mqtt.qos, config.mqtt.username, DaemonConfig().mqtt.qos) == (0, "digitd", 1)
    for wrong, message in (
        ({"qos": 2}, "out of range"),
        ({"password": "x"}, "did you mean 'password_file'"),
        ({"protocol": "4"}, "must be one of"),
    ):
        with pytest.raises(ConfigError, match=message):
            compose(None, {"mqtt": wrong})


def test_a_run_without_a_broker_imports_nothing_of_it() -> None:
    program = "import sys; from digitd.daemon import service; print([m for m in sys.modules if m.startswith('paho')])"
    done = subprocess.run([COMMAND[0], "-c", program], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert done.stdout == "[]\n"


def test_the_daemon_s_own_sink_goes_by_its_settings(tmp_path: Path) -> None:
    settings = tmp_path / "digitd.toml"
    settings.write_text(f'[mqtt]\nusername = "digitd"\npassword_file = "{tmp_path / "none"}"\n')
    command = [*COMMAND, "run", "--source", str(DEMO), "--sink", "mqtt://localhost/a", "--config", str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert str(tmp_path / "none") in done.stderr
