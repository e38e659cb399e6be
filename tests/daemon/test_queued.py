"""A reader that does not read holds nothing up: what it cannot take is dropped and told."""

import json
import os
import threading
import time
from collections.abc import Callable

import pytest

from digitd.daemon.events import Digit, Event, Stamp
from digitd.daemon.mode_switch import ModeSwitch
from digitd.daemon.sinks.queued import MAX_WAITING_EVENTS, QueuedSink
from digitd.daemon.sinks.sink import Backlog, ReaderGone, Surroundings, open_sink

DIGIT = Digit("7", 0.98, 1.2, 1.6, 1.8)


class PipeSink:
    """Writes lines into a pipe, and waits where it is full."""

    backlog = Backlog()

    def __init__(self) -> None:
        self.reading, self._writing = os.pipe()
        self.closed = False

    def publish(self, event: Event) -> None:
        try:
            os.write(self._writing, event.to_json().encode() + b"\n")
        except BrokenPipeError as error:
            raise ReaderGone from error

    def close(self) -> None:
        os.close(self._writing)
        self.closed = True

    def seqs(self) -> list[int]:
        """Of all that is read to the end."""
        with os.fdopen(self.reading) as lines:
            return [json.loads(line)["seq"] for line in lines]


def opened(sink: PipeSink) -> tuple[QueuedSink, list[int]]:
    dropped: list[int] = []
    return QueuedSink(sink, "stdout:jsonl", threading.Event(), lambda _, count: dropped.append(count)), dropped


def until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError


def test_a_reader_that_reads_gets_everything_in_order() -> None:
    pipe, stamp = PipeSink(), Stamp("mic")
    sink, dropped = opened(pipe)
    for _ in range(100):
        sink.publish(stamp.event(DIGIT))
    sink.close()
    assert (pipe.seqs(), dropped, pipe.closed) == (list(range(100)), [], True)


def stays_below(sink: QueuedSink, count: int) -> bool:
    """Whether a little later fewer wait."""
    time.sleep(0.05)
    return sink.backlog.waiting_events < count


def test_a_sleeper_loses_the_newest_and_is_told_how_many(caplog: pytest.LogCaptureFixture) -> None:
    pipe, stamp = PipeSink(), Stamp("mic")
    sink, dropped = opened(pipe)
    n_events = 0
    while sink.backlog.waiting_events < 10 or stays_below(sink, 10):  # until the pipe itself is full
        sink.publish(stamp.event(DIGIT))
        n_events += 1
    began_s = time.monotonic()
    while len(dropped) < 50:
        sink.publish(stamp.event(DIGIT))
        n_events += 1
    assert time.monotonic() - began_s < 2  # it never waits
    assert sink.backlog.waiting_events == MAX_WAITING_EVENTS
    reading = threading.Thread(target=lambda: seqs.extend(pipe.seqs()))
    seqs: list[int] = []
    reading.start()
    until(lambda: sink.backlog.waiting_events == 0)
    sink.publish(stamp.event(DIGIT))
    sink.close()
    reading.join()
    assert seqs == [*range(n_events - 50), n_events]
    assert caplog.messages == [
        "stdout:jsonl: its reader is 1000 events behind; more are dropped",
        "stdout:jsonl: 50 events were dropped; their numbers are missing",
    ]


def test_a_reader_that_left_is_told() -> None:
    pipe, stamp = PipeSink(), Stamp("mic")
    sink, _ = opened(pipe)
    os.close(pipe.reading)

    def gone() -> bool:
        try:
            sink.publish(stamp.event(DIGIT))
        except ReaderGone:
            return True
        return False

    until(gone)
    sink.close()


def test_one_that_is_closed_does_not_end_the_daemon() -> None:
    surroundings = Surroundings(threading.Event(), ModeSwitch("always"), live=True)
    open_sink("stdout:text", surroundings).close()  # a reload has taken it away
    assert not surroundings.stop.is_set()


def test_closing_waits_for_no_sleeper() -> None:
    pipe, stamp = PipeSink(), Stamp("mic")
    sink, dropped = opened(pipe)
    while not dropped:
        sink.publish(stamp.event(DIGIT))
    began_s = time.monotonic()
    sink.close()
    assert time.monotonic() - began_s < 0.6
    os.close(pipe.reading)
