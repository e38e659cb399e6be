"""Whether there is a sound card with an input, and whether this user may record from it."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from digitd.daemon.checks.finding import Finding, fail, ok
from digitd.daemon.checks.host import Host
from digitd.daemon.checks.user import group_name
from digitd.daemon.config import DaemonConfig

WHAT = "sound cards"
_NAME = re.compile(r"^ *(\d+) \[.*?\]: .*? - (.*)$", re.MULTILINE)


def inputs(host: Host) -> list[Path]:
    """The device files that ALSA records from."""
    return sorted((host.root / "dev/snd").glob("pcmC*D*c"))


def examine(host: Host, _config: DaemonConfig) -> Iterator[Finding]:
    """The cards; an audio server needs none of this user's permissions, and may have microphones of its own."""
    nodes, served = inputs(host), host.audio_server.state in ("answers", "remote", "frozen")
    closed = [node for node in nodes if not os.access(node, os.R_OK | os.W_OK, effective_ids=True)]
    if not nodes:
        yield _none(host, served)
    elif closed and served:
        yield ok(WHAT, f"{_names(host, nodes)}; not open to {host.user.name}, for whom the audio server records")
    elif closed:
        group = group_name(closed[0].stat().st_gid)
        yield fail(WHAT, f"{closed[0]} is not open to {host.user.name}", host.user.joining(group))
    else:
        yield ok(WHAT, f"{_names(host, nodes)}; open to {host.user.name}")


def _none(host: Host, served: bool) -> Finding:
    if served:
        return ok(WHAT, "none with an input here; what the audio server has is its own")
    only_output = any((host.root / "dev/snd").glob("pcmC*D*p"))
    found = "none has an input" if only_output else f"none under {host.root / 'dev/snd'}"
    return fail(WHAT, found, "plug in a microphone; `arecord -l` lists it. A container needs --device /dev/snd")


def _names(host: Host, nodes: list[Path]) -> str:
    """Of the cards that have these device files."""
    listing = host.root / "proc/asound/cards"
    names = dict(_NAME.findall(listing.read_text() if listing.is_file() else ""))
    numbers = sorted({node.name.removeprefix("pcmC").partition("D")[0] for node in nodes}, key=int)
    return ", ".join(names.get(number, f"card {number}") for number in numbers)
