"""Where a daemon is heard: its UNIX socket, or a WebSocket address with a token."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from digitd.daemon.errors import ConfigError
from digitd.daemon.loopback import is_loopback
from digitd.daemon.usual_socket import default_path

WEB = ("ws", "wss")


@dataclass(frozen=True)
class Place:
    """One of the two."""

    url: str = ""
    """Without its token; empty: it is a socket."""
    token: str = ""
    ca_file: str = ""
    """Certificates (PEM) that vouch for the server; empty: those that the system trusts."""
    socket_path: Path | None = None

    def __str__(self) -> str:
        return self.url or str(self.socket_path)

    @property
    def path(self) -> Path:
        """Of the socket.

        Raises:
            ConfigError: it is a WebSocket, which is only listened to.
        """
        if self.socket_path is None:
            raise ConfigError(f"{self.url}: a WebSocket only tells; name the daemon's UNIX socket")
        return self.socket_path

    @property
    def headers(self) -> dict[str, str]:
        """What lets in."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    @property
    def encryption(self) -> ssl.SSLContext | None:
        """For wss://.

        Raises:
            ConfigError: the certificates cannot be read.
        """
        if not self.url.startswith("wss:"):
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file or None)
        except OSError as error:
            raise ConfigError(
                f"{self.ca_file}: no certificates can be read there ({error}); name a PEM file"
            ) from error

    @property
    def is_near(self) -> bool:
        """Whether it is this machine, to which no proxy leads."""
        return is_loopback(urlsplit(self.url).hostname or "")


def placed(where: str | Path | None, token: str = "", ca_file: str | Path = "") -> Place:
    """The place that is meant by `unix:PATH`, a plain path, ws://, wss://, or None: where `digitd watch` looks.

    Raises:
        ConfigError: a WebSocket's address cannot be one, or its token would be sent for all to read.
    """
    text = str(where or "")
    if urlsplit(text).scheme not in WEB:
        return Place(socket_path=Path(text.removeprefix("unix:")) if text else default_path())
    parts = urlsplit(text)
    fields = parse_qsl(parts.query, keep_blank_values=True)
    query = urlencode([(name, value) for name, value in fields if name != "token"])
    token = token or dict(fields).get("token", "")
    place = Place(urlunsplit(parts._replace(query=query)), token, str(ca_file))
    if not parts.hostname:
        raise ConfigError(f"{place}: no host is named; give ws://HOST:PORT/events")
    if token and parts.scheme == "ws" and not place.is_near:
        raise ConfigError(f"{place}: the token would go unencrypted over the network; use wss://")
    return place
