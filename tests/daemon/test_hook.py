"""Commands that are run for events."""

import json
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import DEMO, DEMO_DIGITS
from tests.daemon.conftest import COMMAND

from digitd.daemon.errors import SinkError
from digitd.daemon.events import Digit, Event, Rejected, Stamp
from digitd.daemon.mode_switch import ModeSwitch
from digitd.daemon.sinks.hook import MAX_WAITING_EVENTS, HookSink, words
from digitd.daemon.sinks.sink import HookConfig, Surroundings

DIGIT = Digit("7", 0.98, 1.2, 1.6, 1.8)


def around(**given: Any) -> Surroundings:
    return Surroundings(threading.Event(), ModeSwitch("always"), **given)


def script(folder: Path, text: str) -> Path:
    path = folder / "hook script"  # a space: it must be quoted, and is never seen by a shell
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def events(count: int) -> list[Event]:
    stamp = Stamp("mic")
    return [stamp.event(DIGIT) for _ in range(count)]


def test_each_digit_and_string_reaches_the_command_in_order(tmp_path: Path) -> None:
    out = tmp_path / "out"
    hook = script(tmp_path, f"cat >> '{out}'")
    sink = f"exec:'{hook}' $(touch {tmp_path}/shell)"
    done = subprocess.run([*COMMAND, "run", "--source", str(DEMO), "--sink", sink], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    heard = [json.loads(line) for line in out.read_text().splitlines()]
    assert [event["digit"] for event in heard if event["type"] == "digit"] == list(DEMO_DIGITS)
    assert [event["digits"] for event in heard if event["type"] == "string"] == [DEMO_DIGITS]
    assert {event["type"] for event in heard} == {"digit", "string"}
    assert not (tmp_path / "shell").exists()


def test_types_can_be_chosen(tmp_path: Path) -> None:
    out = tmp_path / "out"
    sink = HookSink(f"'{script(tmp_path, f'cat >> {out}')}'", around(hook_config=HookConfig(types=("rejected",))))
    stamp = Stamp("mic")
    for body in (DIGIT, Rejected("1", 0.2, 1.0, 1.2, 1.4), DIGIT):
        sink.publish(stamp.event(body))
    sink.close()
    assert [json.loads(line)["seq"] for line in out.read_text().splitlines()] == [1]


def test_a_command_that_takes_too_long_is_killed_with_its_children(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pids = tmp_path / "pids"
    hook = script(tmp_path, f"sleep 60 & echo $! >> {pids}; sleep 60")
    sink = HookSink(f"'{hook}'", around(hook_config=HookConfig(timeout_s=0.5)))
    for event in events(2):
        sink.publish(event)
    sink.close()
    assert caplog.text.count("took longer than 0.5 s and was killed") == 2
    time.sleep(0.1)
    for pid in pids.read_text().split():
        assert not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]


def test_so_many_run_at_once(tmp_path: Path) -> None:
    running = tmp_path / "running"
    running.mkdir()
    hook = script(tmp_path, f"touch {running}/$$; ls {running} | wc -l >> {tmp_path}/most; sleep 0.2; rm {running}/$$")
    sink = HookSink(f"'{hook}'", around(hook_config=HookConfig(at_once=3)))
    for event in events(9):
        sink.publish(event)
    sink.close()
    most = [int(line) for line in (tmp_path / "most").read_text().split()]
    assert (len(most), max(most)) == (9, 3)


def test_a_live_source_waits_for_no_command(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dropped: list[tuple[str, int]] = []
    surroundings = around(live=True, count_dropped=lambda what, count: dropped.append((what, count)))
    sink = HookSink(f"'{script(tmp_path, 'sleep 60')}'", surroundings)
    began_s = time.monotonic()
    for event in events(MAX_WAITING_EVENTS + 20):
        sink.publish(event)
    assert sink.backlog.waiting_events == MAX_WAITING_EVENTS
    sink.close()
    assert time.monotonic() - began_s < 2
    assert sum(count for _, count in dropped) in (19, 20)
    assert caplog.text.count("events behind; more are dropped") == 1
    assert f"was not run for {MAX_WAITING_EVENTS} last events" in caplog.text


def test_a_file_waits_for_its_commands(tmp_path: Path) -> None:
    sink = HookSink(f"'{script(tmp_path, f'echo >> {tmp_path}/n')}'", around())
    for event in events(100):
        sink.publish(event)
    sink.close()
    assert (tmp_path / "n").read_text() == 100 * "\n"


@pytest.mark.parametrize("secret", [False, True])
def test_what_a_failing_command_prints_is_logged_unless_it_may_be_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, secret: bool
) -> None:
    sink = HookSink(f"'{script(tmp_path, 'cat >&2; exit 3')}'", around(secret=secret))
    for event in events(1):
        sink.publish(event)
    sink.close()
    assert "ended with status 3" in caplog.text
    assert ('"digit":"7"' in caplog.text) is not secret


def test_a_program_that_is_taken_away_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    hook = script(tmp_path, "true")
    sink = HookSink(f"'{hook}'", around())
    hook.unlink()
    for event in events(2):
        sink.publish(event)
    sink.close()
    assert caplog.text.count("cannot be run: No such file or directory") == 2


def test_a_command_that_does_not_read_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    sink = HookSink("true", around())
    for event in events(20):
        sink.publish(event)
    sink.close()
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("'unclosed", "cannot be cut into words"),
        ("no-such-program --flag", "no program 'no-such-program'"),
        ("  ", "no program ''"),
    ],
)
def test_what_cannot_be_run_is_refused(command: str, message: str) -> None:
    with pytest.raises(SinkError, match=message):
        words(command)


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(SinkError, match="no event 'digits'; did you mean 'digit'"):
        HookSink("true", around(hook_config=HookConfig(types=("digits",))))


def test_the_daemons_own_descriptors_and_notifications_are_not_for_commands(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    hook = script(tmp_path, f"ls -l /proc/$$/fd >> {seen}; env >> {seen}")
    environment = {**os.environ, "NOTIFY_SOCKET": "@nobody", "WATCHDOG_USEC": "1"}
    command = [*COMMAND, "run", "--source", str(DEMO), "--sink", f"unix:{tmp_path}/s", "--sink", f"exec:'{hook}'"]
    subprocess.run(command, env=environment, capture_output=True, check=True)
    assert "NOTIFY_SOCKET" not in seen.read_text()
    assert "WATCHDOG_USEC" not in seen.read_text()
    assert str(DEMO) not in seen.read_text()
