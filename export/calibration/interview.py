"""The conversation with the person: room, level, gain, and each digit some times."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from digitd.daemon.audio import Samples
from digitd.daemon.errors import AudioError
from digitd.export.calibration import level
from digitd.export.calibration.console import Console
from digitd.export.calibration.gain import Gain
from digitd.export.calibration.level import Room, Voice
from digitd.export.calibration.microphone import Microphone
from digitd.export.calibration.take import Take

ROOM_S = 3.0
COUNTED_S = 6.0
SETTLED_S = 0.3
"""After a change of volume."""
MOST_TURNS = 3
WORD_WITHIN_S = 5.0
MOST_ASKED = 3
ABOVE_ROOM_DB = 6.0
"""What is no louder than the room by this is no answer to a prompt."""
REMEDIES = {
    "clipping": "turn the microphone down, or its boost off, or speak from farther away",
    "too loud": "turn the microphone down, or speak from farther away",
    "too quiet": "turn the microphone up, or speak from nearer",
    "noisy": "go nearer to the microphone, or turn off what makes the noise: a fan, music",
    "unheard": "see whether this is the microphone that you speak into: `digitd devices`, --source mic:NAME",
    "silent": "it is muted: by its own switch, or `pactl set-source-mute @DEFAULT_SOURCE@ 0`, or alsamixer, F4, M",
}


@dataclass(frozen=True)
class Interviewed:
    """What was recorded."""

    takes: tuple[Take, ...]
    room: Samples
    rate_hz: int


class Interview:
    """Asks one person in front of one microphone.

    Args:
        microphone: that is heard.
        console: that speaks.
        gain: the microphone's volume; None where it cannot be set.
        may_turn: whether it may be set; None asks.
    """

    def __init__(self, microphone: Microphone, console: Console, gain: Gain | None, *, may_turn: bool | None) -> None:
        self._microphone, self._console, self._gain, self._may_turn = microphone, console, gain, may_turn

    def hold(self, prompts: Sequence[str]) -> Interviewed:
        """From the room to the last prompt.

        Raises:
            AudioError: the microphone is silent or lost, or nothing at all is said.
        """
        samples, room = self._room()
        for turns_left in reversed(range(MOST_TURNS + 1)):
            voice = self._voice(room)
            if not turns_left or not self._turned(voice):
                break
            samples, room = self._room()  # louder too
        takes = self._prompted(prompts, room.loudest_dbfs + ABOVE_ROOM_DB)
        if not takes:
            raise AudioError("no prompt was answered; speak nearer to the microphone, or see `digitd doctor`")
        return Interviewed(tuple(takes), samples, self._microphone.rate_hz)

    def _room(self) -> tuple[Samples, Room]:
        self._console.say(f"Please be quiet for {ROOM_S:.0f} seconds: the room is measured ...")
        self._microphone.record(SETTLED_S)
        samples = self._microphone.record(ROOM_S, self._console.meter)
        room = level.room(samples, self._microphone.rate_hz)
        if room.silent:
            raise AudioError(f"the microphone sends nothing but zeros; {REMEDIES['silent']}")
        noisy = "; that is noisy" if room.median_dbfs > level.NOISY_DBFS else ""
        self._console.say(f"  room: {room}{noisy}")
        return samples, room

    def _voice(self, room: Room) -> Voice:
        for _ in range(MOST_ASKED):
            self._console.say("Now count slowly from zero to five, as you would to the recogniser ...")
            samples = self._microphone.record(COUNTED_S, self._console.meter)
            voice = level.voice([samples], self._microphone.rate_hz, room.median_dbfs)
            if voice.verdict != "unheard":
                break
            self._console.say("  nothing stands out of the room; once more, please")
        self._console.say(f"  voice: {voice}")
        return voice

    def _turned(self, voice: Voice) -> bool:
        """Whether the volume was changed, so that all is to be measured again."""
        if voice.verdict == "good":
            return False
        if voice.verdict in ("noisy", "unheard") or self._gain is None or (percent := self._gain.percent()) is None:
            self._console.say(f"  what helps: {REMEDIES[voice.verdict]}")
            return False
        direction = "up" if voice.gain_db > 0 else "down"
        question = f"  Turn the microphone {direction} by {abs(voice.gain_db):.0f} dB? It stands at {percent} %"
        if not self._console.agrees(question, self._may_turn, default=True):
            return False
        if not self._gain.turn(voice.gain_db):
            self._console.say(f"  it goes no further ({self._gain.name}): {REMEDIES[voice.verdict]}")
            return False
        self._console.say(
            f"  it stands at {self._gain.percent()} % now; back: {self._gain.name} {percent}%. Once more:"
        )
        return True

    def _prompted(self, prompts: Sequence[str], above_dbfs: float) -> list[Take]:
        self._console.say(f"\nNow {len(prompts)} digits. Say each when it is shown, in your own voice; then wait.")
        takes = []
        for number, label in enumerate(prompts, start=1):
            samples = self._asked(f"  {number:2} of {len(prompts)}   say:  {label}", label, above_dbfs)
            if samples is not None:
                takes.append(Take(label, samples, self._microphone.rate_hz, f"prompt {number}"))
        return takes

    def _asked(self, prompt: str, label: str, above_dbfs: float) -> Samples | None:
        """What was said; a prompt that nothing follows is shown again."""
        for _ in range(MOST_ASKED):
            self._console.say(prompt, end="  ")
            samples = self._microphone.word(WORD_WITHIN_S, above_dbfs)
            if samples is not None:
                peak = level.dbfs(float(np.abs(samples).max()))
                self._console.say(f"   heard, {peak:.0f} dBFS")
                return samples
            self._console.say("   nothing heard; once more, please")
        self._console.say(f"  {label} is left out.")
        return None
