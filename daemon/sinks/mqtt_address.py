"""`mqtt://[USER@]HOST[:PORT]/TOPIC` -> where a broker is, and under which topic it is told."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from digitd.daemon.errors import SinkError
from digitd.daemon.loopback import is_loopback

PORTS = {"mqtt": 1883, "mqtts": 8883}
SHAPE = "mqtt://[USER@]HOST[:PORT]/TOPIC, mqtts:// for TLS"

_RESERVED = re.compile(r"[%/+#\x00-\x1f\x7f]")
"""What parts levels, stands for any of them, or no topic may have."""


@dataclass(frozen=True)
class Address:
    """A broker, and the topic that all others are below."""

    host: str
    port: int
    topic: str
    username: str
    tls: bool

    @property
    def private(self) -> bool:
        """Whether nobody on the way can read what is sent."""
        return self.tls or is_loopback(self.host)

    @property
    def status_topic(self) -> str:
        """Whether the daemon is there: online or offline."""
        return f"{self.topic}/status"

    def topic_of(self, stream: str, kind: str) -> str:
        """Of a stream's events of one type. What a level cannot hold is written as in an address: `%2F` for a slash."""
        return f"{self.topic}/{_RESERVED.sub(lambda sign: quote(sign[0], safe=''), stream)}/{kind}"


def names_broker(spec: str) -> bool:
    """Whether a sink is a broker."""
    return spec.partition(":")[0] in PORTS


def refuse_password(spec: str) -> None:
    """Nothing, where a broker's address has no password in it; what would be printed of it stays unsaid.

    Raises:
        ValueError: it has one.
    """
    scheme, _, rest = spec.partition("://")
    if scheme in PORTS and ":" in rest.partition("/")[0].rpartition("@")[0]:
        raise ValueError(
            f"{scheme}://USER:...@{rest.rpartition('@')[2]}: a password in an address is for all to see; "
            "put it into a file and name that in [mqtt], password_file"
        )


def parsed(spec: str) -> Address:
    """The address that `spec` is.

    Raises:
        SinkError: it is none, or has a password in it.
    """
    try:
        refuse_password(spec)
        parts = urlsplit(spec)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
    except ValueError as error:
        raise SinkError(f"{error}" if "password" in str(error) else f"{spec!r}: {error}; give {SHAPE}") from error
    topic = unquote(parts.path).strip("/")
    if not host or parts.query or port == 0 or "#" in spec:
        raise SinkError(f"{spec!r} is no broker's address; give {SHAPE}")
    if not topic or topic.startswith("$") or re.search(r"[+#\x00-\x1f\x7f]", topic):
        raise SinkError(f"{spec!r}: {topic!r} is no topic to publish under; name one as home/digitd, without + and #")
    return Address(host, port or PORTS[parts.scheme], topic, unquote(parts.username or ""), parts.scheme == "mqtts")
