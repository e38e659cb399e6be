"""What the view is made of: the inbox, the picture, what is known, and each panel by itself."""

import json
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitd.daemon.events import Body, Digit, End, Ready, Rejected, Stamp, String
from digitd.daemon.listen.bars import Bars
from digitd.daemon.listen.big_digits import FONT, BigDigits
from digitd.daemon.listen.glyphs import ASCII, UNICODE, Glyphs
from digitd.daemon.listen.hearing import CLIPPING_S, VEIL, Hearing
from digitd.daemon.listen.inbox import MOST_LETTERS, Inbox, Letter
from digitd.daemon.listen.level import Level
from digitd.daemon.listen.lines import Strings, Words
from digitd.daemon.listen.panel import Panel, Row
from digitd.daemon.listen.picture import COLUMN_S, FRAME_S, MOST_COLUMNS, Picture
from digitd.daemon.listen.spectrogram import Spectrogram, Track, has_colours
from digitd.daemon.received import received

STAMP = Stamp("mic")
STRING = String("12", 0.9, 1.0, 2.0, 3.0, "12", legal=True, far=False, n_best=())
FRAMES_A_COLUMN = round(COLUMN_S / FRAME_S)


def came(*bodies: Body) -> Iterator[Letter]:
    for body in bodies:
        yield Letter("came", received=received(STAMP.event(body).to_json().encode()))


def glimpse(at_s: float, **changed: object) -> Letter:
    table = {"v": 1, "type": "glimpse", "stream": "mic", "at_s": at_s, "level_dbfs": -60.0, "floor_dbfs": -70.0}
    table |= {"clipping": False, "speech": False, "mel": [], "posteriors": {}}
    return Letter("came", received=received(json.dumps(table | changed).encode()))


def hearing(*letters: Letter) -> Hearing:
    found = Hearing()
    for letter in letters:
        found.enter(letter)
    return found


def digit(label: str, at_s: float = 1.0) -> Digit:
    return Digit(label, 0.9, at_s, at_s + 0.2, at_s + 0.3)


def text(panel: Panel, width: int, height: int = 1) -> list[str]:
    return ["".join(piece.text for piece in row) for row in panel.rows(width, height)]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30), st.integers(1, 60))
def test_the_picture_is_the_same_however_its_frames_come(sizes: list[int], n_bands: int) -> None:
    frames = np.random.default_rng(len(sizes)).integers(0, 256, (sum(sizes), n_bands))
    whole, pieces = Picture(), Picture()
    whole.advance(len(frames) * FRAME_S, frames.tolist(), speech=False)
    for begin, end in pairwise([0, *np.cumsum(sizes).tolist()]):
        pieces.advance(end * FRAME_S, frames[begin:end].tolist(), speech=False)
    assert np.array_equal(whole.shades(100, 20), pieces.shades(100, 20))


def test_each_frame_stands_at_its_time_and_low_tones_below() -> None:
    frames = np.zeros((100, 40), int)
    frames[30, 0], frames[70, 39] = 200, 100
    picture = Picture()
    picture.advance(1.0, frames.tolist(), speech=False)
    shades = picture.shades(20, 10)
    assert np.argwhere(shades).tolist() == [[0, 70 // FRAMES_A_COLUMN], [9, 30 // FRAMES_A_COLUMN]]
    assert picture.place(0.705, 20) == 70 // FRAMES_A_COLUMN
    picture.advance(1.5, [], speech=True)
    assert np.argwhere(picture.shades(20, 10)).tolist() == [[0, 4]]
    assert picture.speech(20)[-2:] == [True, True]
    assert not any(picture.speech(20)[:10])


def test_an_utterance_that_is_shown_when_it_is_over_stands_where_it_was() -> None:
    picture = Picture()
    for tenth in range(1, 10):
        picture.advance(tenth / 10, [], speech=True)
    picture.advance(1.0, [[255] * 64] * 50, speech=False)
    assert (picture.shades(20, 1)[0] > 0).tolist() == [False] * 10 + [True] * 10


def test_a_stream_that_starts_anew_leaves_nothing_of_the_old_one() -> None:
    picture = Picture()
    picture.advance(100.0, [[255] * 40] * 900, speech=True)
    picture.advance(0.1, [[7] * 40] * 10, speech=False)
    assert picture.shades(MOST_COLUMNS, 1)[0, :-2].max() == 0
    assert picture.shades(4, 100).shape == (100, 4)
    picture.advance(0.2, [[9] * 64] * 10, speech=False)  # and another model
    assert picture.shades(2, 1).tolist() == [[9, 9]]


def test_the_inbox_wakes_once_for_all_that_waits() -> None:
    inbox, woken = Inbox(), []
    inbox.outlook.tell("before")
    inbox.open(lambda: woken.append(1))
    inbox.outlook.miss("after")
    assert woken == [1]
    assert [letter.text for letter in inbox.take()] == ["before", "after"]
    inbox.outlook.end("last")
    assert woken == [1, 1]
    assert [letter.kind for letter in inbox.take()] == ["end"]
    assert inbox.take() == []


def test_what_the_inbox_forgets_is_told() -> None:
    inbox = Inbox()
    for number in range(MOST_LETTERS + 3):
        inbox.outlook.tell(str(number))
    letters = inbox.take()
    assert (letters[0].kind, letters[0].text) == ("missed", "3 lines were forgotten while frozen")
    assert [letter.text for letter in letters[1:]] == [str(number) for number in range(3, MOST_LETTERS + 3)]


def test_clipping_is_seen_for_a_while() -> None:
    known = hearing(glimpse(1.0, clipping=True))
    known.enter(glimpse(1.0 + CLIPPING_S / 2))
    assert known.clipping
    assert text(Level(known, UNICODE), 80)[0].endswith("CLIP")
    known.enter(glimpse(1.1 + CLIPPING_S))
    assert "CLIP" not in text(Level(known, UNICODE), 80)[0]
    assert hearing(glimpse(100.0, clipping=True), glimpse(0.1)).clipping is False
    ended = hearing(glimpse(1.0, clipping=True, speech=True, posteriors={"1": 0.9}), *came(End(1.1)))
    assert (ended.clipping, ended.speech, ended.posteriors) == (False, False, {})


def test_veiled_no_digit_is_shown_anywhere() -> None:
    known = Hearing(veiled=True)
    for letter in (glimpse(1.0, posteriors={"1": 0.9}), *came(digit("1"), digit("2"), STRING)):
        known.enter(letter)
    assert not known.posteriors
    shown = [
        *text(BigDigits(known, UNICODE), 80, 5),
        *text(Words(known, UNICODE), 80),
        *text(Strings(known, UNICODE), 80),
    ]
    assert VEIL * len(STRING.digits) in shown[-1]
    assert not {"1", "2"} & set("".join(shown).replace("90%", ""))


def test_bars_rise_at_once_and_fall_slowly() -> None:
    known = hearing(glimpse(1.0, posteriors={"3": 0.9, "4": 0.1}), glimpse(1.1, posteriors={"3": 0.0, "4": 0.2}))
    assert 0.5 < known.posteriors["3"] < 0.9
    assert known.posteriors["4"] == 0.2
    for tenth in range(20):
        known.enter(glimpse(1.2 + tenth / 10))
    assert set(known.posteriors.values()) == {0.0}


@pytest.mark.parametrize(("share", "column"), [(0.0, "     "), (0.5, "  ▄██"), (0.99, "█████"), (1.0, "█████")])
def test_a_bar_is_as_high_as_its_share(share: float, column: str) -> None:
    rows = text(Bars(hearing(glimpse(1.0, posteriors={"0": 0.0, "1": share})), UNICODE), 31, 6)
    assert "".join(row[3] for row in rows[:5]) == column
    assert rows[5].split() == ["0", "1"]


@pytest.mark.parametrize(("level_dbfs", "n_cells"), [(-120.0, 0), (-80.0, 0), (-40.0, 20), (0.0, 40), (3.0, 40)])
def test_the_meter_spans_80_db_with_a_mark_at_the_noise(level_dbfs: float, n_cells: int) -> None:
    known = hearing(glimpse(1.0, level_dbfs=level_dbfs, floor_dbfs=-60.0, speech=True))
    row = text(Level(known, ASCII), 84)[0]
    meter = row.removeprefix("level ").partition(f"{level_dbfs:6.0f} dBFS")[0]
    assert len(meter) == 40
    assert meter.count("#") == n_cells - (n_cells > 10)
    assert meter[10] == "|"
    assert "noise  -60  * speech" in row


def test_big_digits_are_the_last_that_fit_and_strings_stand_apart() -> None:
    known = hearing(*came(digit("1"), digit("2"), STRING, digit("3")))
    rows = text(BigDigits(known, ASCII), 26, 6)
    assert rows[0] == ""
    doubled = [["".join(2 * pixel for pixel in row) for row in FONT[label]] for label in "123"]
    expected = [f"{one}  {two}    {three}" for one, two, three in zip(*doubled, strict=True)]
    assert rows[1:] == expected
    assert text(BigDigits(known, ASCII), 23, 6)[1:] == [row[8:] for row in expected]
    assert text(BigDigits(known, ASCII), 5, 6)[1:] == [""] * 5


def test_words_of_another_stream_stand_beneath_no_picture() -> None:
    old = [*came(Ready("m", "cpu", "mic", "always"), digit("7", 0.5)), glimpse(1.0, speech=True)]
    known = hearing(*old)
    assert "7" in text(Track(known, UNICODE), 80)[0]
    for letter in (Letter("trouble", "gone"), Letter("trouble"), glimpse(1.5), *came(Rejected("4", 0.3, 1, 1.1, 1.3))):
        known.enter(letter)
    track = text(Track(known, UNICODE), 80)[0]
    assert "7" not in track
    assert "4?" in track
    assert "▔" not in track


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
@pytest.mark.parametrize("coloured", [True, False])
def test_the_spectrogram_grows_brighter_with_the_sound(glyphs: Glyphs, *, coloured: bool) -> None:
    known = hearing(glimpse(0.1, mel=[[25 * (band // 4) for band in range(40)]] * 10))
    rows = Spectrogram(known, glyphs, coloured=coloured).rows(2, 10)
    assert all(sum(len(piece.text) for piece in row) == 2 for row in rows)
    if coloured and glyphs is UNICODE:
        assert len({_ground(row) for row in rows}) >= 8
    else:
        shown = [row[0].text[0] for row in reversed(rows)]
        places = [glyphs.shades.index(character) for character in shown]
        assert places == sorted(places)
        assert (places[0], places[-1]) == (0, len(glyphs.shades) - 2 if glyphs is ASCII else len(glyphs.shades) - 1)


def _ground(row: Row) -> str:
    style = row[0].style
    assert style is not None
    assert style.bgcolor is not None
    return style.bgcolor.name


def test_colours_need_256_of_them() -> None:
    assert has_colours(UNICODE, "256", no_color=False)
    assert has_colours(UNICODE, "truecolor", no_color=False)
    assert not has_colours(UNICODE, "standard", no_color=False)
    assert not has_colours(UNICODE, None, no_color=False)
    assert not has_colours(UNICODE, "256", no_color=True)
    assert not has_colours(ASCII, "256", no_color=False)


@given(st.text(max_size=50))
def test_names_of_somebody_else_are_harmless(name: str) -> None:
    assert ASCII.plain(name).isascii()
    for glyphs in (ASCII, UNICODE):
        assert all(character.isprintable() for character in glyphs.plain(name))
        assert len(glyphs.plain(name)) == len(name)


@given(st.text("abcdef/", max_size=30), st.integers(0, 20))
def test_of_a_long_name_the_end_is_shown(name: str, room: int) -> None:
    shown = ASCII.tail(name, room)
    assert len(shown) == min(len(name), room)
    assert name.endswith(shown.removeprefix("~"))
    assert shown.startswith("~") == (0 < room < len(name))


def test_ascii_is_ascii() -> None:
    assert all(value.isascii() for value in vars(ASCII).values() if isinstance(value, str))
