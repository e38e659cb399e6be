"""The volume of the microphone, where the machine has a control for it: PulseAudio's or PipeWire's, else ALSA's."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Protocol

ANSWER_S = 5.0
LEAST_SHARE, MOST_SHARE = 0.01, 1.0
"""Above, the server would only multiply what came."""
_DECIBELS = re.compile(r"(-?\d+(?:\.\d+)?) ?dB\b")
_PERCENT = re.compile(r"(\d+)%")


class Gain(Protocol):
    """A control that was found."""

    @property
    def name(self) -> str:
        """How a person finds it again."""
        ...

    def percent(self) -> int | None:
        """Where it stands; None where it does not tell."""
        ...

    def turn(self, decibels: float) -> bool:
        """Turn it up or down by so much, as far as it goes; whether it has moved."""
        ...


@dataclass(frozen=True)
class ServerGain:
    """Of the audio server, by `pactl`."""

    source: str = "@DEFAULT_SOURCE@"
    name: str = "pactl set-source-volume @DEFAULT_SOURCE@"

    def percent(self) -> int | None:
        """Where it stands."""
        return _first(_PERCENT, _told(["pactl", "get-source-volume", self.source]))

    def turn(self, decibels: float) -> bool:
        """PulseAudio's volume is the cube root of the amplitude's factor: 6 dB are 26 %."""
        before = self.percent()
        if before is None:
            return False
        share = min(MOST_SHARE, max(LEAST_SHARE, before / 100 * 10 ** (decibels / 60)))
        _told(["pactl", "set-source-volume", self.source, f"{round(100 * share)}%"])
        return self.percent() != before


@dataclass(frozen=True)
class CardGain:
    """Of the sound card, by `amixer`."""

    control: str
    name: str

    def percent(self) -> int | None:
        """Where it stands."""
        return _first(_PERCENT, _told(["amixer", "sget", self.control]))

    def turn(self, decibels: float) -> bool:
        """In the card's own steps of decibels."""
        before = self.percent()
        sign = "+" if decibels > 0 else "-"
        _told(["amixer", "sset", self.control, f"{abs(decibels):.1f}dB{sign}", "cap"])
        return self.percent() != before


def found(spec: str) -> Gain | None:
    """The control of the microphone that `spec` names (`mic`, `mic:NAME`); None where none is sure to be its.

    The server's default source is what `mic` and `mic:pulse` record; the volume of a card that is named is not guessed.
    """
    if spec not in ("mic", "mic:default", "mic:pulse", "mic:pipewire"):
        return None
    if (
        shutil.which("pactl")
        and _first(_PERCENT, _told(["pactl", "get-source-volume", "@DEFAULT_SOURCE@"])) is not None
    ):
        return ServerGain()
    if shutil.which("amixer") and _DECIBELS.search(_told(["amixer", "sget", "Capture"])):
        return CardGain("Capture", "amixer sset Capture")
    return None


def _first(pattern: re.Pattern[str], text: str) -> int | None:
    match = pattern.search(text)
    return int(match[1]) if match else None


def _told(command: list[str]) -> str:
    """Standard output of a command; empty where it fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout
