"""A running `digitd type` is paused, resumed and ended, and follows its daemon; nothing is typed twice or late."""

import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.daemon.desktop import Speaker, Typing, digit, string, typing_environment, wait_for

from digitd.daemon.events import End

Start = Callable[..., Typing]
TYPES = "types by nothing (a dry run: what would be typed is printed); "


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


@pytest.fixture
def speaker(path: Path) -> Iterator[Speaker]:
    speaker = Speaker(path)
    yield speaker
    speaker.close()


@pytest.fixture
def typing(path: Path, tmp_path: Path) -> Iterator[Start]:
    started: list[Typing] = []

    def start(*flags: str) -> Typing:
        started.append(Typing(typing_environment(tmp_path), path, "--dry-run", *flags))
        return started[-1]

    yield start
    for each in started:
        each.close()


def asked(tmp_path: Path, flag: str) -> tuple[int, str, str]:
    """What `digitd type --pause` and its like answer."""
    return Typing(typing_environment(tmp_path), flag).finish(number=None)


def test_it_is_paused_and_resumed_by_command_and_by_signal(speaker: Speaker, typing: Start, tmp_path: Path) -> None:
    running = typing("--paused")
    assert running.told() == f"{TYPES}paused, `digitd type --toggle` resumes, Ctrl+C ends"
    speaker.accept()
    speaker.say("1")
    assert asked(tmp_path, "--resume") == (0, "typing\n", "")
    assert running.told() == "typing again (--resume)"
    speaker.say("2")
    assert asked(tmp_path, "--pause") == (0, "paused\n", "")
    assert running.told() == "paused (--pause)"
    assert asked(tmp_path, "--pause") == (0, "paused\n", "")
    speaker.say("3")
    assert asked(tmp_path, "--toggle") == (0, "typing\n", "")
    assert running.told() == "typing again (--toggle)"
    running.process.send_signal(signal.SIGUSR1)
    assert running.told() == "paused (SIGUSR1)"
    speaker.say("4")
    speaker.is_heard()
    assert running.says_nothing(0.3)
    running.process.send_signal(signal.SIGUSR1)
    assert running.told() == "typing again (SIGUSR1)"
    speaker.send(digit("5"), digit("6"), string("56"), End(1.0))
    wait_for(lambda: running.says_nothing(0.1), "silence")
    assert running.finish() == (0, "2\n5\n6\n", "")


def test_it_pauses_where_nobody_speaks(speaker: Speaker, typing: Start, tmp_path: Path) -> None:
    running = typing("--idle-pause", "0.5")
    running.told()
    speaker.accept()
    speaker.say("1")
    assert running.told() == "paused (no digit for 0.5 s)"
    speaker.say("2")
    assert asked(tmp_path, "--resume")[0] == 0
    assert running.told() == "typing again (--resume)"
    assert running.told() == "paused (no digit for 0.5 s)"
    assert running.finish() == (0, "1\n", "")


def test_two_do_not_type_the_same(typing: Start) -> None:
    running = typing()
    running.told()
    second = typing()
    told = "`digitd type` runs already, and two would type each digit twice; stop that one first"
    assert second.finish(number=None) == (2, "", f"digitd: error: {told}\n")
    running.process.kill()
    running.process.wait()
    assert (
        typing().told() == f"{TYPES}`digitd type --toggle` pauses, Ctrl+C ends"
    )  # what a killed one has left is no hindrance


def test_where_none_runs_that_is_told(tmp_path: Path) -> None:
    status, output, log = asked(tmp_path, "--toggle")
    assert (status, output) == (2, "")
    assert log.endswith("digitd-type.sock: no `digitd type` answers (No such file or directory); start it\n")


def test_one_who_asks_nonsense_or_nothing_does_no_harm(speaker: Speaker, typing: Start, tmp_path: Path) -> None:
    running = typing()
    running.told()
    speaker.accept()
    for sent in (b"", b"\xff\xfe\n", b"pause" * 10, b"stop\n"):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "digitd-type.sock"))
            client.sendall(sent)
            if sent:
                client.settimeout(5)
                assert client.recv(10) == b""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(tmp_path / "digitd-type.sock"))
        began_s = time.monotonic()
        assert asked(tmp_path, "--toggle")[1] == "paused\n"
        assert time.monotonic() - began_s < 5
    assert running.told() == "paused (--toggle)"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
@pytest.mark.parametrize("connected", [True, False])
def test_a_signal_ends_it(
    speaker: Speaker, typing: Start, tmp_path: Path, number: signal.Signals, status: int, connected: bool
) -> None:
    if not connected:
        speaker.close()
    running = typing()
    running.told()
    if connected:
        speaker.accept()
    else:
        assert "nobody answers" in running.told()
    assert running.finish(number) == (status, "", "")
    assert not (tmp_path / "digitd-type.sock").exists()


def test_what_was_missed_is_told_and_not_typed_late(path: Path, speaker: Speaker, typing: Start) -> None:
    running = typing("--after", "enter")
    running.told()
    speaker.accept()
    speaker.send(digit("1"))
    wait_for(lambda: running.says_nothing(0.1), "silence")
    speaker.client.close()
    assert running.told() == f"{path}: gone, trying again"
    speaker.stamp.event(digit("2"))  # nobody reads it
    speaker.accept()
    assert running.told() == f"{path}: back"
    speaker.send(digit("3"), string("123"))
    assert running.told() == "mic: missed 1 event (seq 2), not typed"
    assert running.told() == "after 1 digit, the rest of this string is not typed: some of it is missing"
    speaker.say("4")
    wait_for(lambda: running.says_nothing(0.2), "silence")
    assert running.finish() == (0, "1\n4\n[Enter]\n", "")


def test_what_waited_too_long_is_not_typed(speaker: Speaker, typing: Start) -> None:
    running = typing()
    running.told()
    speaker.accept()
    speaker.send_late(digit("1"), age_s=60)
    assert running.told() == "not typed: it came more than 2 s late"
    speaker.send_late(string("1"), age_s=60)
    speaker.say("2")
    wait_for(lambda: running.says_nothing(0.2), "silence")
    assert running.finish() == (0, "2\n", "")


def test_what_sends_no_digits_ends_it(speaker: Speaker, typing: Start) -> None:
    running = typing()
    running.told()
    speaker.accept()
    speaker.send(digit("$(reboot)"))
    status, output, log = running.finish(number=None)
    assert (status, output) == (2, "")
    assert log == "digitd: error: '$(reboot)' are no digits 0-9; is it `digitd run` that is there?\n"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--idle-pause", "0"], "--idle-pause 0: it takes seconds, more than 0"),
        (["--pause-string", "x"], "--pause-string 'x': it takes digits, as in --pause-string 000"),
        (["--window", "x"], "cannot tell which window has the focus"),
    ],
)
def test_what_cannot_be_asked_for_is_one_line(typing: Start, flags: list[str], told: str) -> None:
    status, output, log = typing(*flags).finish(number=None)
    assert (status, output, log.count("\n")) == (2, "", 1)
    assert told in log
