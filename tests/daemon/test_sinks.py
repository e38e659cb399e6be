"""Sinks: lines on stdout, and a socket whose readers cannot hurt each other."""

import grp
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from digitd.daemon.errors import SinkError
from digitd.daemon.events import Digit, Ready, Stamp, String
from digitd.daemon.mode_switch import ModeSwitch
from digitd.daemon.sinks.sink import SocketConfig, Surroundings, open_sink
from digitd.daemon.sinks.stdout import FORMATS
from digitd.daemon.sinks.unix_socket import CLOSE_S, MAX_WAITING_BYTES, UnixSocketSink

READY = Ready("study64", "cpu", "mic", "always")
DIGIT = Digit("7", 0.98, 1.2, 1.6, 1.8)


def alone(**given: Any) -> Surroundings:
    """What a sink is opened in where nothing else matters."""
    return Surroundings(threading.Event(), ModeSwitch("always"), **given)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


@pytest.fixture
def sink(path: Path) -> Iterator[UnixSocketSink]:
    opened = UnixSocketSink(path, alone())
    yield opened
    opened.close()


def follower(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(5)
    client.connect(str(path))
    return client


def lines(client: socket.socket, count: int) -> list[dict[str, object]]:
    with client.makefile() as file:
        return [json.loads(next(file)) for _ in range(count)]


def until_followed(sink: UnixSocketSink, count: int) -> None:
    for _ in range(500):
        if len(sink._readers) == count:
            return
        time.sleep(0.01)
    raise AssertionError(f"{len(sink._readers)} readers, not {count}")


def test_formats() -> None:
    stamp = Stamp("mic")
    ready, digit, string = (
        stamp.event(b) for b in (READY, DIGIT, String("77", 0.9, 1.0, 2.0, 2.7, "77", legal=True, far=False, n_best=()))
    )
    assert [FORMATS["text"](event) for event in (ready, digit, string)] == [None, "7", None]
    assert [FORMATS["strings"](event) for event in (ready, digit, string)] == [None, None, "77"]
    assert all(FORMATS["jsonl"](event) for event in (ready, digit, string))


def test_several_readers_see_everything_and_late_ones_the_ready_line(sink: UnixSocketSink, path: Path) -> None:
    stamp = Stamp("mic")
    early = [follower(path), follower(path)]
    until_followed(sink, 2)
    sink.publish(stamp.event(READY))
    sink.publish(stamp.event(DIGIT))
    assert [line["type"] for line in lines(early[0], 2)] == ["ready", "digit"]
    late = follower(path)
    until_followed(sink, 3)
    sink.publish(stamp.event(DIGIT))
    assert [line["seq"] for line in lines(late, 2)] == [0, 2]
    assert [line["seq"] for line in lines(early[1], 3)] == [0, 1, 2]
    for client in (*early, late):
        client.close()


def test_a_reader_that_does_not_read_is_dropped_and_the_rest_lose_nothing(sink: UnixSocketSink, path: Path) -> None:
    asleep, awake = follower(path), follower(path)
    until_followed(sink, 2)
    stamp = Stamp("mic")
    n_events = 0
    with awake.makefile() as file:
        while len(sink._readers) == 2:
            for _ in range(100):
                sink.publish(stamp.event(DIGIT))
            for seq in range(n_events, n_events + 100):
                assert json.loads(next(file))["seq"] == seq
            n_events += 100
            assert n_events < 20 * MAX_WAITING_BYTES / 100
    until_followed(sink, 1)
    again = follower(path)
    until_followed(sink, 2)
    sink.publish(stamp.event(DIGIT))
    assert lines(again, 1)[0]["seq"] == n_events
    for client in (asleep, awake, again):
        client.close()


def test_readers_that_leave_or_send_garbage_change_nothing(sink: UnixSocketSink, path: Path) -> None:
    stays = follower(path)
    until_followed(sink, 1)
    for _ in range(50):
        visitor = follower(path)
        visitor.sendall(b"\x00garbage\xff" * 100)
        visitor.close()
    sink.publish(Stamp("mic").event(DIGIT))
    assert lines(stays, 1)[0]["digit"] == "7"
    stays.close()


def test_a_reader_that_closes_its_sending_side_still_reads(sink: UnixSocketSink, path: Path) -> None:
    half = follower(path)
    until_followed(sink, 1)
    half.shutdown(socket.SHUT_WR)
    time.sleep(0.1)
    sink.publish(Stamp("mic").event(DIGIT))
    assert lines(half, 1)[0]["digit"] == "7"
    half.close()
    until_followed(sink, 0)


def test_a_half_closed_reader_does_not_delay_the_end(path: Path) -> None:
    sink = UnixSocketSink(path, alone())
    half = follower(path)
    until_followed(sink, 1)
    half.shutdown(socket.SHUT_WR)
    time.sleep(0.1)
    began_s = time.monotonic()
    sink.close()
    assert time.monotonic() - began_s < CLOSE_S
    half.close()


def test_a_path_that_another_process_has_taken_since_is_left(path: Path) -> None:
    sink = UnixSocketSink(path, alone())
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        sink.close()
        assert path.exists()


def test_pending_events_are_sent_on_close_and_the_socket_goes(path: Path) -> None:
    sink = UnixSocketSink(path, alone())
    client = follower(path)
    until_followed(sink, 1)
    stamp = Stamp("mic")
    for _ in range(200):
        sink.publish(stamp.event(DIGIT))
    sink.close()
    assert [line["seq"] for line in lines(client, 200)] == list(range(200))
    assert not path.exists()
    client.close()


def test_closing_waits_for_no_sleeper(path: Path) -> None:
    sink = UnixSocketSink(path, alone())
    asleep = follower(path)
    until_followed(sink, 1)
    stamp = Stamp("mic")
    (writer,) = sink._readers
    while writer.transport.get_write_buffer_size() < MAX_WAITING_BYTES / 4:  # more than the kernel takes
        sink.publish(stamp.event(DIGIT))
        time.sleep(0.0002)
    began_s = time.monotonic()
    sink.close()
    assert CLOSE_S <= time.monotonic() - began_s < 2 * CLOSE_S
    asleep.close()


def test_the_socket_is_for_its_owner_and_group(sink: UnixSocketSink, path: Path) -> None:
    assert sink is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_another_group_may_be_admitted(path: Path) -> None:
    groups = os.getgroups() if os.geteuid() else [entry.gr_gid for entry in grp.getgrall()]
    group = grp.getgrgid(groups[-1])
    sink = UnixSocketSink(path, alone(socket_config=SocketConfig(group.gr_name)))
    assert (path.stat().st_gid, stat.S_IMODE(path.stat().st_mode)) == (group.gr_gid, 0o660)
    sink.close()


def test_a_group_that_is_not_there_is_told_and_leaves_no_socket(path: Path) -> None:
    with pytest.raises(SinkError, match="cannot be given to group 'nobodys'"):
        UnixSocketSink(path, alone(socket_config=SocketConfig("nobodys")))
    assert not path.exists()


def test_a_stale_socket_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    UnixSocketSink(path, alone()).close()


def test_a_live_socket_is_left_alone(sink: UnixSocketSink, path: Path) -> None:
    with pytest.raises(SinkError, match="a live process answers there"):
        UnixSocketSink(path, alone())
    client = follower(path)
    until_followed(sink, 1)
    client.close()


def test_a_reader_that_comes_while_the_socket_closes_is_not_left_hanging(path: Path) -> None:
    for _ in range(30):
        sink = UnixSocketSink(path, alone())
        clients = [follower(path) for _ in range(3)]
        sink.close()
        for client in clients:
            with client, suppress(ConnectionResetError):  # nobody had taken it from the queue yet
                assert client.recv(1) == b""


def test_a_file_in_the_way_is_left_alone(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(SinkError, match="no socket can be made there"):
        UnixSocketSink(path, alone())
    assert path.read_text() == "mine"


def test_a_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="too long for a socket; at most 107 fit"):
        UnixSocketSink(tmp_path / ("x" * 107), alone())


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="No such file or directory"):
        UnixSocketSink(tmp_path / "none" / "s", alone())


@pytest.mark.parametrize("spec", ["stdout", "stdout:jsn", "unix", "unix:", "tcp:1"])
def test_an_unknown_sink_is_refused(spec: str) -> None:
    with pytest.raises(SinkError, match=f"no sink '{spec}'"):
        open_sink(spec, alone())
