"""Where a keyboard layout has its digits."""

import os
import re
from pathlib import Path

from digitd.daemon.errors import ConfigError, KeyboardError
from digitd.daemon.keyboards.keyboard import DIGITS, run

US_ROW = {
    n: (plain, shifted) for n, (plain, shifted) in enumerate(zip("1234567890-=", "!@#$%^&*()_+", strict=True), 10)
}
"""XKB's key codes of the row above the letters -> what a US keyboard has there, without Shift and with it."""
WRITTEN_IN = ("/etc/default/keyboard", "/etc/vconsole.conf")
LAYOUT = re.compile(r"\w[\w-]*(:[\w-]+)?", re.ASCII)


def system_layout(files: tuple[str, ...] = WRITTEN_IN) -> str | None:
    """The layout, or `layout:variant`, that the machine is set to: of the environment or of its files."""
    named = os.environ
    layout, variant = named.get("XKB_DEFAULT_LAYOUT", ""), named.get("XKB_DEFAULT_VARIANT", "")
    for path in map(Path, files):
        if not layout and path.is_file():
            said = dict(re.findall(r'^\s*(XKBLAYOUT|XKBVARIANT)="?([\w,-]*)"?\s*$', path.read_text("utf-8"), re.M))
            layout, variant = said.get("XKBLAYOUT", ""), said.get("XKBVARIANT", "")
    first, kind = layout.partition(",")[0], variant.partition(",")[0]
    return (f"{first}:{kind}" if kind else first) or None


def row_characters(layout: str) -> dict[str, str]:
    """Each digit -> the character that a US keyboard has on the key, and with the Shift, of that digit.

    Raises:
        ConfigError: it is no layout, or its digits are not in the row above the letters, plain or with Shift.
        KeyboardError: xkbcli is not there.
    """
    if not LAYOUT.fullmatch(layout):
        raise ConfigError(f"--layout {layout!r}: name one as setxkbmap does: us, fr, ch:fr")
    return {digit: _row_character(layout, digit) for digit in DIGITS}


def _row_character(layout: str, digit: str) -> str:
    if layout == "us":
        return digit
    name, _, variant = layout.partition(":")
    flags = ["--layout", name, *(["--variant", variant] if variant else [])]
    try:
        ways = run(["xkbcli", "how-to-type", *flags, str(ord(digit))])
    except KeyboardError as error:
        raise KeyboardError(f"layout {layout!r}: {error}; apt install libxkbcommon-tools, or name another") from error
    for key, modifiers in re.findall(r"^(\d+) .*\[ ?([\w ]*?) ?\]$", ways, re.M):
        if int(key) in US_ROW and modifiers in ("", "Shift"):
            return US_ROW[int(key)][modifiers == "Shift"]
    raise ConfigError(
        f"layout {layout!r} has {digit} neither plain nor with Shift in the row above the letters, where ydotool could "
        "type it: switch to one that has, and name that: --layout us"
    )
