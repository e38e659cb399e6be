"""A whole calibration in a terminal, with a real PulseAudio into which each word is spoken when it is asked for."""

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from tests.conftest import WORDS
from tests.daemon.conftest import COMMAND, Pulse, pulse

__all__ = ["pulse"]  # a fixture of the daemon's tests

pytestmark = pytest.mark.microphone

HISS_DBFS = -60.0


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each digit's name, said by espeak-ng, by the digit; and a count of six of them."""
    folder = tmp_path_factory.mktemp("spoken")
    for name, text in {**{str(d): word for d, word in enumerate(WORDS)}, "count": ". ".join(WORDS[:5])}.items():
        raw = folder / f"{name}.raw.wav"
        subprocess.run(["espeak-ng", "-v", "en-us", "-s", "140", "-w", str(raw), text], check=True)
        samples, rate_hz = soundfile.read(raw, dtype="float32")
        soundfile.write(folder / f"{name}.wav", soxr.resample(samples, rate_hz, 16000) * 0.6, 16000)
    return {path.stem: path for path in folder.glob("*.wav") if not path.stem.endswith(".raw")}


@pytest.fixture
def room(pulse: Pulse, tmp_path: Path) -> Iterator[Pulse]:
    """A microphone in a room that is not quite silent."""
    hiss = 10 ** (HISS_DBFS / 20) * np.random.default_rng(0).standard_normal(16000 * 300)
    soundfile.write(tmp_path / "hiss.wav", hiss, 16000)
    player = subprocess.Popen(["paplay", "-d", "fakemic", str(tmp_path / "hiss.wav")], env=pulse.environment)
    yield pulse
    player.kill()
    player.wait()


class Terminal:
    """`digitd calibrate` as a person sees it."""

    def __init__(self, environment: dict[str, str], *flags: str) -> None:
        self._master, slave = pty.openpty()
        command = [*COMMAND, "calibrate", *flags]
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        self.seen = ""
        self._read = 0

    def until(self, pattern: str, within_s: float = 60.0) -> re.Match[str]:
        """The next place in what it shows that fits."""
        deadline_s = time.monotonic() + within_s
        while not (found := re.compile(pattern).search(self.seen, self._read)):
            left_s = deadline_s - time.monotonic()
            assert left_s > 0, f"no {pattern!r} in {self.seen[self._read :]!r}"
            if select.select([self._master], [], [], left_s)[0]:
                try:
                    self.seen += os.read(self._master, 4096).decode()
                except OSError as error:  # it has ended
                    raise AssertionError(f"no {pattern!r} in {self.seen[self._read :]!r}") from error
        self._read = found.end()
        return found

    def type(self, line: str) -> None:
        """What the person answers."""
        os.write(self._master, line.encode() + b"\n")

    def close(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
        os.close(self._master)


def source_volume(room: Pulse) -> int:
    told = subprocess.run(
        ["pactl", "get-source-volume", "@DEFAULT_SOURCE@"],
        env=room.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"(\d+)%", told.stdout)
    assert found
    return int(found[1])


def counts(room: Pulse, terminal: Terminal, recording: Path, verdict: str) -> None:
    """Count; once more where this microphone itself lost it."""
    room.play(recording)
    while terminal.until(f"{verdict}|once more", within_s=20)[0] != verdict:
        room.play(recording)


def says(room: Pulse, terminal: Terminal, recording: Path) -> None:
    """Say a word; once more where this microphone itself lost it."""
    room.play(recording)
    while terminal.until("heard, -|nothing heard; once more", within_s=20)[0] != "heard, -":
        room.play(recording)


def test_a_person_is_measured_asked_and_set_up(room: Pulse, spoken: dict[str, Path], tmp_path: Path) -> None:
    subprocess.run(["pactl", "set-source-volume", "@DEFAULT_SOURCE@", "25%"], env=room.environment, check=True)
    environment = room.environment | {"XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    terminal = Terminal(environment, "--source", "mic:pulse", "--name", "anna", "--takes", "1", "--write")
    try:
        terminal.until("Please be quiet")
        terminal.until(r"room: -\d+ dBFS")
        terminal.until("count slowly")
        counts(room, terminal, spoken["count"], "too quiet")
        terminal.until(r"Turn the microphone up by \d+ dB\?.*\[Y/n\]")
        terminal.type("y")
        terminal.until(r"room: -\d+ dBFS")
        terminal.until("count slowly")
        counts(room, terminal, spoken["count"], "above the room: good")
        assert source_volume(room) > 25

        asked = []
        for number in range(11):
            label = terminal.until(r"say:  (\d)")[1]
            if number == 0:
                terminal.until("nothing heard; once more", within_s=20)
                continue
            says(room, terminal, spoken[label])
            asked.append(label)
        assert sorted(asked) == sorted(map(str, range(10)))

        terminal.until(r"Keep the recordings.*\[y/N\]")
        terminal.type("yes")
        terminal.until("delete: rm -r")
        for mode in ("always", "entry"):
            terminal.until(rf"{mode} .*\d+ of 10: \d+%")
        terminal.until(r"adapt the network.*\[Y/n\]")
        terminal.type("n")
        terminal.until("nothing is changed|Make the bundle", within_s=60)
    finally:
        terminal.close()
    kept = tmp_path / "digitd/recordings/anna"
    assert kept.stat().st_mode & 0o777 == 0o700
    assert sorted(path.parent.name for path in kept.glob("*/anna_001.wav")) == sorted(map(str, range(10)))
    assert (kept / "room.wav").is_file()
    again = subprocess.run(
        [*COMMAND, "calibrate", "--from", str(kept), "--no-enrol", "--no-install"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"entry .*(8|9|10) of 10", again.stdout), again.stdout
