"""Which keyboard is taken, what is said where none is, and what ydotool, which needs a kernel's uinput, is given."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.daemon.desktop import Screen, wait_for

from digitd.daemon.errors import ConfigError, DigitdError, KeyboardError
from digitd.daemon.keyboards import choice, keyboard
from digitd.daemon.keyboards.choice import open_keyboard
from digitd.daemon.keyboards.keyboard import DIGITS
from digitd.daemon.keyboards.layout import system_layout

RECORDER = """#!/bin/sh
echo "$@" >> "$YDOTOOL_RECORD"
cat >> "$YDOTOOL_RECORD"
echo >> "$YDOTOOL_RECORD"
"""


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No session, no tools on the path, no kernel's keyboard; the folder on the path."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE", "YDOTOOL_SOCKET", "XKB_DEFAULT_LAYOUT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    tools = tmp_path / "bin"
    tools.mkdir()
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr(choice, "UINPUT", tmp_path / "uinput")
    return tools


def tool(folder: Path, name: str) -> None:
    """Put a real tool on the path."""
    (folder / name).symlink_to(Path("/usr/bin", name))


@pytest.fixture
def ydotool(nothing: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A ydotool that records what it is given, a ydotoold that answers, and the real xkbcli."""
    (nothing / "ydotool").write_text(RECORDER)
    (nothing / "ydotool").chmod(0o755)
    for name in ("xkbcli", "cat"):
        tool(nothing, name)
    monkeypatch.setenv("YDOTOOL_RECORD", str(tmp_path / "record"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ydotoold:
        ydotoold.bind(str(tmp_path / ".ydotool_socket"))
        yield tmp_path / "record"


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    folder = tmp_path / "session"
    folder.mkdir()
    screen = Screen(folder)
    yield screen
    screen.close()


@pytest.mark.usefixtures("nothing")
def test_where_there_is_none_one_line_tells_the_remedy_of_each() -> None:
    with pytest.raises(KeyboardError) as error:
        open_keyboard("auto", None)
    assert str(error.value) == (
        "no keyboard to type with. wtype: no Wayland session (WAYLAND_DISPLAY is not set). "
        "xdotool: no X session (DISPLAY is not set). ydotool: not installed: apt install ydotool. "
        "`--dry-run` tells what would be typed"
    )


@pytest.mark.usefixtures("nothing")
def test_a_session_without_its_tool_tells_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":7")
    with pytest.raises(KeyboardError, match=r"xdotool: not installed: apt install xdotool\."):
        open_keyboard("auto", None)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-7")
    with pytest.raises(
        KeyboardError, match=r"wtype: not installed: apt install wtype\. xdotool: in a Wayland session it"
    ):
        open_keyboard("auto", None)


def test_a_display_that_does_not_answer_is_told(nothing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(nothing, "xdotool")
    tool(nothing, "wtype")
    monkeypatch.setenv("DISPLAY", ":7777")
    with pytest.raises(KeyboardError, match="xdotool fails: Error: Can't open display"):
        open_keyboard("xdotool", None)
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-7777")
    with pytest.raises(KeyboardError, match="wtype fails: Wayland connection failed"):
        open_keyboard("wtype", None)


def test_the_display_that_is_there_is_taken(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WAYLAND_DISPLAY", "XDG_SESSION_TYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", screen.environment["DISPLAY"])
    assert open_keyboard("auto", None).name.startswith("xdotool")


@pytest.mark.usefixtures("ydotool")
def test_ydotool_needs_a_daemon_or_the_device(tmp_path: Path) -> None:
    assert open_keyboard("auto", "us").name == "ydotool (any session, layout us)"
    (tmp_path / ".ydotool_socket").unlink()
    with pytest.raises(KeyboardError, match="not yours to write, and no ydotoold answers: start ydotoold"):
        open_keyboard("ydotool", "us")
    (tmp_path / "uinput").touch()
    open_keyboard("ydotool", "us").close()


US_PLAIN, US_SHIFTED, SHIFT = "1234567890-=", "!@#$%^&*()_+", "50"
KEYS = {character: str(code) for row in (US_PLAIN, US_SHIFTED) for code, character in enumerate(row, 10)}
"""The key codes of what a US keyboard has in the row above the letters."""


@pytest.mark.parametrize("name", ["us", "fr", "be", "cz", "de", "fr:bepo", "us:dvp", "fr:afnor"])
def test_what_ydotool_is_given_types_digits_on_the_layout(screen: Screen, ydotool: Path, name: str) -> None:
    """The keys that a US keyboard has for what it is given are, on the display, those of the digits."""
    open_keyboard("ydotool", name).type(DIGITS + " ", "enter")
    arguments, given, *rest = ydotool.read_text().splitlines()
    assert (arguments, rest) == ("type --file -", [""])
    screen.lay_out(name.replace(":", "(") + ")" * (":" in name))
    field = screen.field("order")
    for character in given.removesuffix(" "):
        screen.run("xdotool", "keydown" if character in US_SHIFTED else "keyup", SHIFT, "key", KEYS[character])
    assert field.shows(DIGITS)


@pytest.mark.usefixtures("ydotool")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("lt", "layout 'lt' has 0 neither plain nor with Shift"),
        ("xx", "layout 'xx': xkbcli fails: "),
        ("--help", "--layout '--help': name one as setxkbmap does"),
    ],
)
def test_a_layout_that_ydotool_cannot_type_is_refused(name: str, told: str) -> None:
    with pytest.raises(DigitdError) as error:
        open_keyboard("ydotool", name)
    assert str(error.value).startswith(told)


@pytest.mark.usefixtures("ydotool")
def test_no_layout_is_guessed(nothing: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    files = (str(tmp_path / "keyboard"),)
    monkeypatch.setattr(choice, "system_layout", lambda: system_layout(files))
    with pytest.raises(KeyboardError, match="the machine tells no keyboard layout: name it, as in --layout us"):
        open_keyboard("ydotool", None)
    Path(files[0]).write_text('# a comment\nXKBMODEL="pc105"\nXKBLAYOUT="fr,us"\nXKBVARIANT="bepo,"\n')
    assert system_layout(files) == "fr:bepo"
    monkeypatch.setenv("XKB_DEFAULT_LAYOUT", "de")
    assert open_keyboard("ydotool", None).name.endswith("layout de)")
    (nothing / "xkbcli").unlink()
    with pytest.raises(KeyboardError, match=r"layout 'fr': xkbcli cannot be run: .*; apt install libxkbcommon-tools"):
        open_keyboard("ydotool", "fr")


@pytest.mark.usefixtures("ydotool")
def test_with_ydotool_only_a_space_separates() -> None:
    with pytest.raises(ConfigError, match="--separator '-': with ydotool only a space can be one"):
        open_keyboard("ydotool", "us").type("1-", "none")


def test_a_tool_that_hangs_is_ended(nothing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(nothing, "sleep")
    monkeypatch.setattr(keyboard, "TOOL_S", 0.2)
    with pytest.raises(KeyboardError, match=r"sleep hangs: it was ended after 0.2 s"):
        keyboard.run(["sleep", "60"])


def test_digits_that_xdotool_was_ended_in_are_released(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", screen.environment["DISPLAY"])
    screen.lay_out("fr")
    field = screen.field("order")
    tool = open_keyboard("xdotool", None)
    screen.run("xdotool", "keydown", "1")
    monkeypatch.setattr(keyboard, "TOOL_S", 0.3)
    with pytest.raises(KeyboardError, match="xdotool hangs"):
        tool.type("1" * 100, "none")
    wait_for(lambda: field.text().startswith("11"), "digits")
    screen.run("xdotool", "key", "a")
    wait_for(lambda: "a" in field.text(), "unshifted key")
    assert field.text() == "1" * (len(field.text()) - 1) + "a"
