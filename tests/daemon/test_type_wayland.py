"""`digitd type` in a real Wayland session: what was said stands in a text field."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.daemon.desktop import Compositor, Speaker, Typing, digit, string, wait_for

Start = Callable[..., Typing]


@pytest.fixture
def session() -> Iterator[Compositor]:
    compositor = Compositor()
    yield compositor
    compositor.close()


@pytest.fixture
def speaker(tmp_path: Path) -> Iterator[Speaker]:
    speaker = Speaker(tmp_path / "s")
    yield speaker
    speaker.close()


@pytest.fixture
def typing(session: Compositor, tmp_path: Path) -> Iterator[Start]:
    started: list[Typing] = []

    def start(*flags: str) -> Typing:
        started.append(Typing(session.environment, tmp_path / "s", *flags))
        return started[-1]

    yield start
    for each in started:
        each.close()


def test_every_digit_comes_on_a_seat_that_has_no_keyboard(session: Compositor, speaker: Speaker, typing: Start) -> None:
    running = typing("--after", "enter")
    assert running.told().startswith(f"types by wtype (Wayland, {session.environment['WAYLAND_DISPLAY']}); ")
    speaker.accept()
    for count in range(40):
        speaker.send(digit(str(count % 10)))
        wait_for(lambda count=count: len(session.field.text()) > count, "digit")  # type: ignore[misc]
    speaker.send(string("0123456789" * 4))
    assert session.field.shows("0123456789" * 4 + "\r")
    assert running.finish() == (0, "", "")


def test_whole_strings_with_separator_and_tab(session: Compositor, speaker: Speaker, typing: Start) -> None:
    running = typing("--as", "strings", "--separator", " - ", "--after", "tab")
    running.told()
    speaker.accept()
    speaker.say("42")
    speaker.say("7")
    assert session.field.shows("42 - \t7 - \t")


def test_a_window_cannot_be_named(session: Compositor, typing: Start) -> None:
    running = typing("--window", "order")
    status, _, log = running.finish(number=None)
    display = session.environment["WAYLAND_DISPLAY"]
    told = f"--window 'order': wtype (Wayland, {display}) cannot tell which window has the focus"
    assert (status, log) == (2, f"digitd: error: {told}\n")


def test_a_session_that_ends_is_told_in_one_line(session: Compositor, speaker: Speaker, typing: Start) -> None:
    running = typing()
    running.told()
    speaker.accept()
    session.close()
    speaker.send(digit("1"))
    status, _, log = running.finish(number=None)
    assert (status, log.count("\n")) == (2, 1)
    assert log.startswith("digitd: error: the Wayland session has ended")
