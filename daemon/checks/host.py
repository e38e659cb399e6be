"""What several checks ask about the machine, asked once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from digitd.daemon.checks import pulse, systemd
from digitd.daemon.checks.user import User


@dataclass(frozen=True)
class Host:
    """A machine, and who asks on it."""

    root: Path = Path("/")
    """That /dev, /proc, /run and /var are in."""
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    user: User = field(default_factory=User.now)

    @cached_property
    def audio_server(self) -> pulse.Server:
        """The PulseAudio, or PipeWire in its place, that this user's programs speak to."""
        return pulse.find(self.environment)

    @cached_property
    def system_units(self) -> systemd.Units:
        """Those of digitd that the system's manager knows."""
        return systemd.show("system", self.environment)

    @cached_property
    def user_units(self) -> systemd.Units:
        """Those of digitd that the manager of this user's session knows."""
        return systemd.show("user", self.environment)

    @property
    def runs_systemd(self) -> bool:
        """As sd_booted(3) tells it."""
        return (self.root / "run/systemd/system").is_dir()
