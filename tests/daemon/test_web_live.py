"""The live view of a real daemon: its events, glimpses and mode, through its restarts."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import DEMO_DIGITS
from tests.daemon.conftest import Daemon
from tests.daemon.room import Room, listening
from tests.daemon.web_server import WITHIN_S, Web, digits, pcm16, say, told
from websockets.sync.client import ClientConnection

from digitd.daemon.audio import Samples


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    return tmp_path / "digitd.sock"


@pytest.fixture
def daemon_room(socket_path: Path) -> Iterator[tuple[Daemon, Room]]:
    with listening(socket_path, "--mode", "entry") as both:
        yield both


@pytest.fixture
def daemon(daemon_room: tuple[Daemon, Room]) -> Daemon:
    return daemon_room[0]


@pytest.fixture
def room(daemon_room: tuple[Daemon, Room]) -> Room:
    return daemon_room[1]


@pytest.fixture
def web(socket_path: Path) -> Iterator[Web]:
    server = Web(str(socket_path))
    yield server
    server.close()


def until(client: ClientConnection, **wanted: object) -> list[dict[str, Any]]:
    """All that comes up to what has these values."""
    until_s = time.monotonic() + WITHIN_S
    events: list[dict[str, Any]] = []
    while not events or not wanted.items() <= events[-1].items():
        events.append(json.loads(client.recv(until_s - time.monotonic())))
    return events


def joined(client: ClientConnection) -> dict[str, Any]:
    """The welcome of a page that from then on knows of the daemon."""
    welcome: dict[str, Any] = json.loads(client.recv(WITHIN_S))
    if not welcome["past"]:  # the daemon had not been found by then
        welcome["past"] = until(client, type="ready")[-1:]
    return welcome


def test_a_page_is_shown_what_the_daemon_hears(room: Room, web: Web, demo: Samples) -> None:
    with web.socket("/live") as client:
        welcome = joined(client)
        assert (welcome["type"], welcome["following"]) == ("welcome", True)
        assert welcome["past"][0]["mode"] == "entry"
        until(client, type="glimpse")
        room.say(demo)
        events = until(client, type="digit", digit=DEMO_DIGITS[-1])
    assert digits(events) == DEMO_DIGITS
    assert {event["type"] for event in events} <= {"digit", "glimpse", "rejected"}


def test_a_page_that_comes_later_is_told_what_was(room: Room, web: Web, demo: Samples) -> None:
    with web.socket("/live") as client:
        joined(client)
        room.say(demo)
        until(client, type="digit", digit=DEMO_DIGITS[-1])
    with web.socket("/live") as client:
        welcome = json.loads(client.recv(WITHIN_S))
    assert welcome["past"][0]["type"] == "ready"
    assert digits(welcome["past"]) == DEMO_DIGITS


def test_nothing_of_what_is_secret_is_kept(room: Room, socket_path: Path, demo: Samples) -> None:
    web = Web(str(socket_path), "--secret")
    try:
        with web.socket("/live") as client:
            assert joined(client)["secret"]
            room.say(demo)
            until(client, type="digit", digit=DEMO_DIGITS[-1])
        with web.socket("/live") as client:
            assert [event["type"] for event in json.loads(client.recv(WITHIN_S))["past"]] == ["ready"]
    finally:
        web.close()


def test_a_page_switches_the_daemon_s_mode(daemon: Daemon, web: Web) -> None:
    with web.socket("/live") as client:
        joined(client)
        client.send(json.dumps({"mode": "always"}))
        assert daemon.until(type="ready", mode="always")
        until(client, type="ready", mode="always")


@pytest.mark.parametrize("message", ["hello", "{}", '{"mode":"loud"}', '{"glimpses":false}', b"\xff\xff", "[" * 5000])
@pytest.mark.usefixtures("room")
def test_a_page_may_ask_for_a_mode_alone(web: Web, message: str | bytes) -> None:
    with web.socket("/live") as other, web.socket("/live") as client:
        client.send(message)
        assert "error" in [event["type"] for event in told(client)]
        assert client.close_code == 1008
        until(other, type="glimpse")


def test_a_daemon_that_goes_and_comes_back_is_told(web: Web, socket_path: Path, demo: Samples) -> None:
    with web.socket("/live") as client:
        for told_of in ([], ["starts anew (seq 0)"]):
            with listening(socket_path) as (_, room):
                until(client, type="daemon", message="")
                missed = [event for event in until(client, type="ready") if event["type"] == "missed"]
                assert [event["message"] for event in missed] == told_of
                room.say(demo)
                events = until(client, type="digit")
                assert digits(events) == DEMO_DIGITS[0]
                assert "glimpse" in [event["type"] for event in events]
            gone = until(client, type="daemon")[-1]
            assert gone["message"] == f"{socket_path}: gone, trying again"


def test_a_page_that_does_not_read_holds_up_nobody(room: Room, web: Web, demo: Samples) -> None:
    with web.socket("/live") as client, web.socket("/live", max_queue=1) as asleep:
        joined(client)
        room.say(np.tile(demo, 4))
        events = [event for _ in range(4) for event in until(client, type="digit", digit=DEMO_DIGITS[-1])]
        assert digits(events).startswith(DEMO_DIGITS)
        asleep.socket.close()


@pytest.mark.usefixtures("room")
def test_the_server_ends_at_once_with_pages_open(web: Web) -> None:
    with web.socket("/live") as client:
        joined(client)
        began_s = time.monotonic()
        web.end()
        assert time.monotonic() - began_s < 3
        told(client)
        assert client.close_code == 1001


def test_who_speaks_does_not_need_a_daemon(web: Web, socket_path: Path, demo: Samples) -> None:
    assert not socket_path.exists()
    with web.socket("/live") as client:
        welcome = json.loads(client.recv(WITHIN_S))
        message = welcome["message"] or until(client, type="daemon")[-1]["message"]
        assert "nobody answers" in message
        with web.speaking() as speaker:
            say(speaker, pcm16(demo), 3200)
            speaker.send(json.dumps({"end": True}))
            assert digits(told(speaker)) == DEMO_DIGITS


def test_where_no_daemon_runs_one_is_started_and_ended(tmp_path: Path, demo: Samples) -> None:
    web = Web("--source", "-", "--mode", "entry", DIGITD_SOCKET=str(tmp_path / "nobody"))
    try:
        with web.socket("/live") as client:
            joined(client)
            own = children(web.process.pid)
            assert len(own) == 1
            assert web.process.stdin is not None
            web.process.stdin.write(pcm16(np.concatenate([demo, np.zeros(16000, np.float32)])))
            web.process.stdin.flush()
            assert digits(until(client, type="string")) == DEMO_DIGITS
            web.end()
        assert not Path(f"/proc/{own[0]}").exists()
    finally:
        web.close()


def test_a_daemon_that_finds_no_microphone_leaves_the_browser_s(tmp_path: Path) -> None:
    web = Web(
        DIGITD_SOCKET=str(tmp_path / "nobody"), PULSE_SERVER=str(tmp_path / "nowhere"), ALSA_CONFIG_PATH="/dev/null"
    )
    try:
        with web.socket("/live") as client:
            welcome = json.loads(client.recv(WITHIN_S))
            told_of = welcome if not welcome["following"] else until(client, type="daemon", following=False)[-1]
            assert "microphone" in told_of["message"]
        with web.speaking():
            pass
        assert "no live view" in web.end()
    finally:
        web.close()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
