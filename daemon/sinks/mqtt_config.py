"""What a broker's address does not tell."""

from dataclasses import dataclass
from typing import Literal

from digitd.daemon.settings import setting


@dataclass(frozen=True)
class MqttConfig:
    """Of brokers that events are published to."""

    username: str = ""
    """Where the address names none."""
    password_file: str = ""
    """A file with nothing but the password in it, and perhaps a line end."""
    ca_file: str = ""
    """Certificates (PEM) that vouch for the broker; empty: those that the system trusts."""
    client_id: str = ""
    """What the broker knows the daemon by; empty: a new one at each start."""
    protocol: Literal["5", "3.1.1"] = "5"
    qos: int = setting(1, at_least=0, at_most=1)
    """How surely an event arrives: 0 perhaps, 1 once or more often, which its `seq` tells. 2 is not offered: over the
    restarts of a broker (mosquitto 2.0.11, protocol 5) events were lost with it."""
    retain_ready: bool = True
    """Whether a subscriber that comes later is told the latest `ready`."""
    most_waiting: int = setting(10_000, at_least=1, at_most=1_000_000)
    """So many events wait while the broker is away; of a live source, more are dropped."""
    keepalive_s: int = setting(30, at_least=1, at_most=65_535)
    """A broker that is silent for so long is asked whether it is there, and left when it does not answer."""
    patience_s: float = setting(30.0, at_least=0.0, at_most=86_400)
    """A recording, or pipe, waits so long for a broker that takes nothing; a live source never does."""
