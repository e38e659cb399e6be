"""What is to be measured, and how thoroughly."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from digitd.daemon.mode import Mode
from digitd.export.bench.machine import cores

DIGITD = (sys.executable, "-m", "digitd")
"""The command, of this very interpreter."""


@dataclass(frozen=True)
class Plan:
    """Settings of one run of the benchmark."""

    model: str
    """Name or folder of the bundle."""
    mode: Mode = "always"
    runs: int = 5
    """Each measurement so often; the report tells the median and the outermost."""
    long_s: float = 1200.0
    """Length of the recording that a whole process hears."""
    idle_s: float = 30.0
    """So long a quiet room is listened to."""
    core: int = field(default_factory=lambda: cores()[0])
    """What is measured runs on this one."""
    driving_core: int = field(default_factory=lambda: cores()[1])
    """What feeds it runs on this one."""
    most_streams: int = 2000
    """The curve of many streams ends here at the latest."""

    def run(self, source: str | Path, *flags: str) -> list[str]:
        """The command line of a daemon that hears `source`."""
        return [*DIGITD, "run", "--source", str(source), "--model", self.model, "--mode", self.mode, *flags]


PARTS = {
    "stages": "each stage of the pipeline, fed live and at once",
    "limits": "what the time is spent on at bottom",
    "process": "a whole `digitd run`: speed, start, memory",
    "peers": "beside pocketsphinx, webrtcvad and silero",
    "idle": "a quiet room",
    "batches": "the network alone by batch size",
    "streams": "many live streams at once",
}
"""Name of each part, in the order of the report, and what it measures."""
