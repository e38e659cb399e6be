"""`digitd type` on a real X display: what was said stands in a text field, on any layout."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import soundfile
from tests.conftest import DEMO_DIGITS
from tests.daemon.conftest import Daemon, Pulse
from tests.daemon.desktop import Screen, Speaker, Typing, digit, latencies_s, string, wait_for

from digitd.daemon.audio import Samples

Start = Callable[..., Typing]


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    folder = tmp_path / "session"
    folder.mkdir()
    screen = Screen(folder)
    yield screen
    screen.close()


@pytest.fixture
def speaker(tmp_path: Path) -> Iterator[Speaker]:
    speaker = Speaker(tmp_path / "s")
    yield speaker
    speaker.close()


@pytest.fixture
def typing(screen: Screen, tmp_path: Path) -> Iterator[Start]:
    started: list[Typing] = []

    def start(*flags: str, path: Path | None = None, by: str = "xdotool (X11, display {})") -> Typing:
        started.append(Typing(screen.environment, path or tmp_path / "s", *flags))
        assert started[-1].told().startswith(f"types by {by.format(screen.environment['DISPLAY'])}; ")
        return started[-1]

    yield start
    for each in started:
        each.close()


@pytest.mark.parametrize("layout", ["us", "fr", "be", "cz", "lt", "ir", "fr(bepo)", "us(dvp)", "us,fr"])
def test_digits_are_right_on_every_layout(screen: Screen, speaker: Speaker, typing: Start, layout: str) -> None:
    screen.lay_out(layout)
    field = screen.field("order")
    typing("--after", "enter")
    speaker.accept()
    speaker.say("0123456789")
    assert field.shows("0123456789\r")


def test_the_same_keys_type_something_else_there(screen: Screen) -> None:
    """That digits are right on AZERTY is no accident of this display."""
    field = screen.field("order")
    screen.lay_out("fr")
    screen.run("xdotool", "key", "10", "24")  # key codes, which are US 1 and q
    assert field.shows("&a")


def test_whole_strings_with_separator_and_tab(screen: Screen, speaker: Speaker, typing: Start) -> None:
    screen.lay_out("fr")
    field = screen.field("order")
    typing("--as", "strings", "--separator", " - ", "--after", "tab")
    speaker.accept()
    speaker.send(digit("4"))
    speaker.say("42")
    speaker.say("7")
    assert field.shows("42 - \t7 - \t")


def test_caps_lock_and_keys_that_are_held_change_nothing(screen: Screen, speaker: Speaker, typing: Start) -> None:
    screen.lay_out("fr")
    field = screen.field("order")
    running = typing()
    speaker.accept()
    screen.run("xdotool", "key", "Caps_Lock")
    speaker.send(digit("1"))
    assert field.shows("1")
    assert running.rests()
    screen.run("xdotool", "key", "Caps_Lock", "keydown", "Control_L", "keydown", "Shift_L", "keydown", "Super_L")
    speaker.send(digit("2"))
    assert field.shows("12")
    assert running.rests()
    screen.run("xdotool", "key", "a")  # nothing is held any more
    assert field.shows("12a")


def test_a_string_is_not_continued_in_the_window_that_came_in_between(
    screen: Screen, speaker: Speaker, typing: Start
) -> None:
    order, question = screen.field("order"), screen.field("question")
    screen.focus("order")
    told = typing("--after", "enter")
    speaker.accept()
    speaker.send(digit("1"))
    assert order.shows("1")
    screen.focus("question")
    speaker.send(digit("2"), string("12"))
    left_out = "the rest of this string is not typed: another window has the focus than when it began"
    assert told.told() == f"after 1 digit, {left_out}"
    speaker.say("3")
    assert question.shows("3\r")
    assert order.text() == "1"


def test_only_the_window_that_was_named_is_typed_into(screen: Screen, speaker: Speaker, typing: Start) -> None:
    order, bank = screen.field("order"), screen.field("bank")
    told = typing("--window", "ORDER")
    speaker.accept()
    speaker.say("1")
    assert told.told() == "not typed: 'ORDER' is not in the title of the window that has the focus"
    screen.focus("order")
    speaker.say("2")
    assert order.shows("2")
    assert bank.text() == ""


def test_nothing_is_typed_where_nothing_has_the_focus(speaker: Speaker, typing: Start) -> None:
    told = typing()
    speaker.accept()
    speaker.say("1")
    assert told.told() == "not typed: no window has the focus"


def test_a_signal_leaves_no_key_pressed(screen: Screen, speaker: Speaker, typing: Start) -> None:
    """A key that stayed pressed would be repeated by the display for ever."""
    screen.lay_out("fr")
    field = screen.field("order")
    told = typing("--as", "strings")
    speaker.accept()
    speaker.say("1" * 100)
    wait_for(lambda: len(field.text()) > 3, "first digits")
    told.process.send_signal(signal.SIGINT)
    assert told.process.wait(20) == 130
    assert field.shows("1" * 100)  # what was begun is finished
    screen.run("xdotool", "key", "a")
    assert field.shows("1" * 100 + "a")


def test_no_digit_stands_in_the_process_list(screen: Screen, speaker: Speaker, typing: Start) -> None:
    field = screen.field("order")
    typing("--as", "strings")
    speaker.accept()
    speaker.say("8642097531" * 10)
    seen = set()
    while len(field.text()) < 100:
        seen.add(subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout)
    assert any("xdotool" in processes for processes in seen)
    assert not any("8642097531" in processes for processes in seen)


def test_a_display_that_goes_away_is_told_in_one_line(screen: Screen, speaker: Speaker, typing: Start) -> None:
    screen.field("order")
    told = typing("--keyboard", "xdotool")
    speaker.accept()
    screen.close()
    speaker.say("1")
    assert told.told() == "not typed: no window has the focus"
    assert told.finish() == (0, "", "")


def test_a_paced_file_through_the_whole_daemon(screen: Screen, demo: Samples, tmp_path: Path, typing: Start) -> None:
    field, path = screen.field("order"), tmp_path / "s"
    soundfile.write(tmp_path / "paced.wav", np.concatenate([np.zeros(5 * 16000, np.float32), demo]), 16000)
    flags = ["--sink", f"unix:{path}", "--pace", "realtime", "--mode", "entry"]
    daemon = Daemon(*flags, source=str(tmp_path / "paced.wav"))
    daemon.until(type="ready")
    told = typing("--once", "--after", "enter", path=path)
    assert field.shows(DEMO_DIGITS + "\r")
    daemon.finish()
    assert told.finish(number=None) == (0, "", "")


@pytest.mark.microphone
@pytest.mark.parametrize("layout", ["us", "fr"])
def test_what_is_spoken_into_the_microphone_stands_in_the_field(
    screen: Screen, pulse: Pulse, tmp_path: Path, demo: Samples, typing: Start, layout: str
) -> None:
    screen.lay_out(layout)
    field, path, spoken = screen.field("order"), tmp_path / "s", tmp_path / "spoken.wav"
    soundfile.write(spoken, demo, 16000)
    flags = ["--mode", "entry", "--sink", f"unix:{path}"]
    daemon = Daemon(*flags, source="mic:pulse", environment=pulse.environment)
    try:
        daemon.until(type="ready")
        typing("--after", "enter", path=path)
        time.sleep(0.7)  # the microphone settles
        pulse.play(spoken)
        said = daemon.until(type="string")["heard"]  # where this microphone lost samples, it is not DEMO_DIGITS
        assert field.shows(said + "\r")
        assert len(said) >= len(DEMO_DIGITS) - 1
    finally:
        daemon.close()


def test_each_digit_is_there_at_once(screen: Screen, speaker: Speaker, typing: Start) -> None:
    """From the digit's event to its character in the field; `python -m tests.type_benchmark` tells the figures."""
    field = screen.field("order")
    typing()
    speaker.accept()
    assert median(latencies_s(field, speaker, 20)) < 0.5
