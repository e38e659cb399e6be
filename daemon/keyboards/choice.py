"""Which keyboard there is: by the session, the tools on the path, and who may make one in the kernel."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from digitd.daemon.errors import DigitdError, KeyboardError
from digitd.daemon.keyboards.dry_run import DryRun
from digitd.daemon.keyboards.keyboard import Keyboard
from digitd.daemon.keyboards.layout import system_layout
from digitd.daemon.keyboards.wtype import Wtype
from digitd.daemon.keyboards.xdotool import Xdotool
from digitd.daemon.keyboards.ydotool import Ydotool

UINPUT = Path("/dev/uinput")


def open_keyboard(name: str, layout: str | None) -> Keyboard:
    """The keyboard of that name; of `auto`, the first one that works.

    Args:
        name: one of KEYBOARDS, `dry-run`, or `auto`.
        layout: of the keys, where the tool does not know it; None: what the machine is set to.

    Raises:
        KeyboardError: there is none; each one's trouble and its remedy are told.
    """
    if name == "dry-run":
        return DryRun()
    if name != "auto":
        return KEYBOARDS[name](layout)
    troubles = []
    for member, opened in KEYBOARDS.items():
        try:
            if member == "xdotool" and _in_wayland():
                raise KeyboardError("in a Wayland session it reaches only some windows; --keyboard xdotool takes it")
            return opened(layout)
        except DigitdError as error:
            troubles.append(f"{member}: {error}")
    raise KeyboardError(f"no keyboard to type with. {'. '.join(troubles)}. `--dry-run` tells what would be typed")


def _wtype(_layout: str | None) -> Keyboard:
    display = os.environ.get("WAYLAND_DISPLAY")
    if not display:
        raise KeyboardError("no Wayland session (WAYLAND_DISPLAY is not set)")
    _need("wtype")
    return Wtype(display)


def _xdotool(_layout: str | None) -> Keyboard:
    display = os.environ.get("DISPLAY")
    if not display:
        raise KeyboardError("no X session (DISPLAY is not set)")
    _need("xdotool")
    return Xdotool(display)


def _ydotool(layout: str | None) -> Keyboard:
    _need("ydotool")
    if not os.access(UINPUT, os.W_OK) and not any(map(_answers, _ydotoold_sockets())):
        raise KeyboardError(
            f"{UINPUT} is not there or not yours to write, and no ydotoold answers: start ydotoold, or let a udev rule "
            "give you the device (sudo modprobe uinput makes it)"
        )
    layout = layout or system_layout()
    if layout is None:
        raise KeyboardError("the machine tells no keyboard layout: name it, as in --layout us or --layout fr")
    return Ydotool(layout)


def _need(tool: str) -> None:
    if shutil.which(tool) is None:
        raise KeyboardError(f"not installed: apt install {tool}")


def _in_wayland() -> bool:
    return bool(os.environ.get("WAYLAND_DISPLAY")) or os.environ.get("XDG_SESSION_TYPE") == "wayland"


def _ydotoold_sockets() -> list[Path]:
    """Where its versions have it; the path below /tmp is their choice."""
    named, folder = os.environ.get("YDOTOOL_SOCKET"), os.environ.get("XDG_RUNTIME_DIR")
    own = [Path(folder, ".ydotool_socket")] if folder else []
    return [Path(named)] if named else [*own, Path("/tmp/.ydotool_socket")]  # noqa: S108


def _answers(path: Path) -> bool:
    """Whether somebody listens; ydotoold's has been a stream and a datagram socket."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_UNIX, kind) as client:
            if client.connect_ex(str(path)) == 0:
                return True
    return False


KEYBOARDS: dict[str, Callable[[str | None], Keyboard]] = {"wtype": _wtype, "xdotool": _xdotool, "ydotool": _ydotool}
"""In this order they are tried."""
