"""What is typed of what is heard, and what never is."""

import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.daemon.desktop import READY, digit, string

from digitd.daemon.errors import ConfigError, SinkError
from digitd.daemon.events import Body, Event, Stamp
from digitd.daemon.keyboards.keyboard import Key
from digitd.daemon.typist import LATE_S, Typist, TypistConfig

KEYS: dict[Key, str] = {"none": "", "enter": "⏎", "tab": "⇥"}


class Page:
    """A keyboard that writes on paper, in the window that it is told has the focus."""

    name, sees_focus = "page", True

    def __init__(self) -> None:
        self.text = ""
        self.times: list[str] = []
        self.of_window: defaultdict[str, str] = defaultdict(str)
        self.window: tuple[str, str] | None = ("1", "Order form")

    def type(self, text: str, key: Key) -> None:
        self.times.append(text + KEYS[key])
        self.text += text + KEYS[key]
        if self.window:
            self.of_window[self.window[0]] += text + KEYS[key]

    def focused(self) -> str | None:
        return self.window and self.window[0]

    def title(self, window: str) -> str:
        assert self.window is not None
        assert self.window[0] == window
        return self.window[1]

    def close(self) -> None:
        pass


class Desk:
    """A typist at a page."""

    def __init__(self, *, paused: bool = False, **config: Any) -> None:
        self.page, self.told = Page(), list[str]()
        self.typist = Typist(TypistConfig(**config), self.page, self.told.append, paused=paused)
        self._stamp = Stamp("mic")

    def hear(self, *bodies: Body, age_s: float = 0.0) -> None:
        now = datetime.now(UTC)
        for body in bodies:
            self.typist.hear(Event(body, 0, "mic", now - timedelta(seconds=age_s)), now)

    def say(self, digits: str, **of_string: Any) -> None:
        self.hear(*map(digit, digits), string(digits, **of_string))


def test_a_digit_is_typed_as_it_comes_and_a_string_is_not_typed_once_more() -> None:
    desk = Desk()
    desk.hear(READY, digit("4"), digit("2"))
    assert desk.page.times == ["4", "2"]
    desk.hear(string("42"))
    assert (desk.page.times, desk.told) == (["4", "2"], [])


@pytest.mark.parametrize(("after", "key"), KEYS.items())
def test_after_a_string_come_separator_and_key(after: Key, key: str) -> None:
    for whole in (False, True):
        desk = Desk(whole=whole, after=after, separator=" - ")
        desk.say("42")
        desk.say("7")
        assert desk.page.text == f"42 - {key}7 - {key}"


def test_whole_strings_are_the_legal_ones() -> None:
    desk = Desk(whole=True)
    desk.say("1235", heard="1234")
    desk.say("999", legal=False)
    desk.say("888", far=True)
    assert desk.page.times == ["1235"]
    assert desk.told == [
        "not typed: it has not the format that the daemon asks for",
        "not typed: it is far from what was heard; say it again",
    ]


@pytest.mark.parametrize("of_string", [{"digits": "1235"}, {"legal": False}])
def test_no_key_confirms_digits_that_the_format_would_have_otherwise(of_string: dict[str, Any]) -> None:
    desk = Desk(after="enter")
    desk.hear(*map(digit, "1234"), string(**{"digits": "1234", "heard": "1234", **of_string}))
    assert desk.page.text == "1234"
    assert len(desk.told) == 1
    desk.say("5")
    assert desk.page.text == "12345⏎"


def test_no_key_confirms_a_string_whose_beginning_was_not_typed() -> None:
    desk = Desk(after="enter")
    desk.hear(digit("4"), string("34"))
    assert (desk.page.text, desk.told) == (
        "4",
        ["after 1 digit, the rest of this string is not typed: its beginning was not typed"],
    )


def test_the_rest_of_a_string_is_left_out_where_another_window_takes_the_focus() -> None:
    desk = Desk(after="enter")
    desk.hear(digit("1"), digit("2"))
    desk.page.window = ("2", "Really delete?")
    desk.hear(digit("3"), digit("4"))
    desk.page.window = ("1", "Order form")
    desk.hear(digit("5"), string("12345"))
    assert desk.page.text == "12"
    assert desk.told == [
        "after 2 digits, the rest of this string is not typed: another window has the focus than when it began"
    ]
    desk.say("6")
    assert desk.page.text == "126⏎"


@pytest.mark.parametrize("whole", [False, True])
def test_nothing_is_typed_where_no_window_has_the_focus(whole: bool) -> None:
    desk = Desk(whole=whole, after="enter")
    desk.page.window = None
    desk.say("12")
    assert (desk.page.text, desk.told) == ("", ["not typed: no window has the focus"])


def test_a_whole_string_goes_into_the_window_where_it_began() -> None:
    desk = Desk(whole=True, after="enter")
    desk.hear(digit("1"))
    desk.page.window = ("2", "Really delete?")
    desk.hear(digit("2"), string("12"))
    assert desk.page.text == ""
    desk.say("3")
    assert desk.page.text == "3⏎"


def test_only_windows_with_the_title_are_typed_into() -> None:
    desk = Desk(window="order FORM")
    desk.say("1")
    desk.page.window = ("2", "Bank")
    desk.say("23")
    desk.page.window = ("1", "Order form (2)")
    desk.say("4")
    assert desk.page.text == "14"
    assert desk.told == ["not typed: 'order FORM' is not in the title of the window that has the focus"]


def test_a_title_is_refused_where_nobody_can_tell_it() -> None:
    page = Page()
    page.sees_focus = False
    with pytest.raises(ConfigError, match="cannot tell which window has the focus"):
        Typist(TypistConfig(window="x"), page, print, paused=False)


def test_what_comes_late_is_told_and_not_typed() -> None:
    desk = Desk(after="enter")
    desk.hear(digit("1"), age_s=LATE_S + 0.1)
    desk.hear(digit("2"), string("12"))
    assert (desk.page.text, desk.told) == ("", ["not typed: it came more than 2 s late"])
    desk.hear(digit("3"), digit("4"), age_s=LATE_S - 0.5)
    desk.hear(string("34"), age_s=LATE_S + 0.1)
    assert desk.page.text == "34"


def test_what_is_missing_is_not_typed_late_and_no_key_confirms_the_rest() -> None:
    desk = Desk(after="enter")
    desk.hear(digit("1"))
    desk.typist.miss()
    desk.hear(digit("3"), string("123"))
    desk.say("4")
    assert desk.page.text == "14⏎"
    assert desk.told == ["after 1 digit, the rest of this string is not typed: some of it is missing"]


def test_a_whole_string_is_typed_though_a_digit_of_it_was_missed() -> None:
    desk = Desk(whole=True)
    desk.hear(digit("1"))
    desk.typist.miss()
    desk.hear(digit("3"), string("123"))
    assert (desk.page.text, desk.told) == ("123", [])


def test_the_pause_string_pauses_resumes_and_is_never_typed() -> None:
    for whole in (False, True):
        desk = Desk(whole=whole, pause_string="000", after="enter")
        for said in ("12", "000", "34", "000", "56"):
            desk.say(said)
        assert desk.page.text == "12⏎56⏎"
        assert desk.told == ["paused (said)", "typing again (said)"]


def test_digits_that_may_become_the_pause_string_wait_until_they_cannot() -> None:
    desk = Desk(pause_string="000")
    desk.hear(digit("0"), digit("0"))
    assert desk.page.times == []
    desk.hear(digit("7"))
    assert desk.page.times == ["007"]
    desk.hear(digit("0"), string("0070"))
    assert desk.page.times == ["007", "0"]
    desk.hear(digit("0"), string("0"))
    assert desk.page.times == ["007", "0", "0"]
    desk.hear(digit("0"), digit("0"), digit("0"))
    assert desk.page.times == ["007", "0", "0"]
    desk.hear(digit("0"), string("0000"))
    assert desk.page.times == ["007", "0", "0", "0000"]
    assert not desk.typist.paused


def test_a_string_in_which_it_was_paused_or_resumed_is_not_finished() -> None:
    desk = Desk(after="enter")
    desk.hear(digit("1"))
    desk.typist.switch(paused=True, by="--pause")
    desk.hear(digit("2"))
    desk.typist.switch(paused=False, by="--resume")
    desk.hear(digit("3"), string("123"))
    desk.say("4")
    assert desk.page.text == "14⏎"
    desk.hear(digit("5"))
    desk.typist.switch(paused=True, by="--pause")
    desk.hear(string("5"))
    assert desk.page.text == "14⏎5"


def test_it_may_begin_paused() -> None:
    desk = Desk(paused=True, pause_string="99")
    desk.say("1")
    desk.say("99")
    desk.say("2")
    assert desk.page.text == "2"


said = st.lists(st.text("0123", min_size=1, max_size=5), max_size=12)


@given(said, st.booleans(), st.sampled_from(["", "0", "00", "01", "010"]))
def test_what_was_said_while_it_was_not_paused_is_typed_just_once_and_in_order(
    strings: list[str], whole: bool, pause_string: str
) -> None:
    desk = Desk(whole=whole, pause_string=pause_string, after="enter")
    expected, paused = "", False
    for each in strings:
        desk.say(each)
        if each == pause_string:
            paused = not paused
        elif not paused:
            expected += each + "⏎"
    assert desk.page.text == expected


@given(said, st.data())
def test_whatever_happens_meanwhile_only_whole_strings_are_confirmed(strings: list[str], data: st.DataObject) -> None:
    """Windows change, the user pauses, events are missed: a string is confirmed in one window, whole, or not at all."""
    desk = Desk(after="enter", pause_string="00")
    page, typist = desk.page, desk.typist
    for each in strings:
        bodies: list[Body] = [*map(digit, each), string(each)]
        for body in bodies:
            match data.draw(st.sampled_from(["", "", "", "window", "pause", "resume", "miss"])):
                case "window":
                    page.window = (data.draw(st.sampled_from("12")), "")
                case "pause" | "resume" as word:
                    typist.switch(paused=word == "pause", by=word)
                case "miss":
                    typist.miss()
            confirmed = page.text.count("⏎")
            desk.hear(body)
            if page.text.count("⏎") > confirmed:
                assert page.window is not None
                assert page.of_window[page.window[0]].endswith(each + "⏎")
    assert not any(re.search(r"\d", re.sub(r"after \d+ digits?", "", line)) for line in desk.told)


@pytest.mark.parametrize("wrong", ["x", "", "12", "٣", "1\n", "; rm"])
def test_what_is_no_digit_reaches_no_keyboard(wrong: str) -> None:
    desk = Desk(whole=False)
    with pytest.raises(SinkError, match="are no digits 0-9"):
        desk.hear(digit(wrong))
    if wrong != "12":
        with pytest.raises(SinkError, match="are no digits 0-9"):
            Desk(whole=True).hear(string(wrong))
    with pytest.raises(SinkError, match="are no digits 0-9"):
        Desk(whole=True).hear(string("7" * 101))
    assert desk.page.text == ""


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"pause_string": "0a"}, "--pause-string '0a': it takes digits"),
        ({"separator": "rm"}, "--separator 'rm': at most 8 spaces or signs, no letters or digits"),
        ({"separator": "\n"}, "no line ends or tabs; --after has these"),
        ({"separator": "-" * 9}, "at most 8 spaces"),
    ],
)
def test_what_cannot_be_is_refused(config: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError) as error:
        TypistConfig(**config)  # type: ignore[arg-type]
    assert told in str(error.value)
