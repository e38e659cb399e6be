"""Who may come in: a browser of this machine that was given the token, and no other site's page in it."""

import secrets
import time
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from websockets.http11 import Request

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
"""Only by these is it asked for; any other name was made to point here (DNS rebinding). A forwarded port may differ."""
TOKEN_BYTES = 32
TICKET_S = 60.0
MAX_FIELDS = 4


@dataclass(frozen=True)
class Refusal:
    """Why somebody does not come in."""

    status: HTTPStatus
    reason: str


class Gate:
    """Looks at each request before anything else does."""

    def __init__(self) -> None:
        self._token = secrets.token_urlsafe(TOKEN_BYTES)
        self._tickets: dict[str, float] = {}

    @property
    def query(self) -> str:
        """The part of the address that lets in."""
        return f"token={self._token}"

    def ticket(self) -> str:
        """The same for once and TICKET_S: for a command line, which other users of the machine can read."""
        ticket = secrets.token_urlsafe(TOKEN_BYTES)
        self._tickets[ticket] = time.monotonic() + TICKET_S
        return f"ticket={ticket}"

    def takes_ticket(self, request: Request) -> bool:
        """Whether it brings a ticket, which is spent with that."""
        until_s = self._tickets.pop(field(request, "ticket"), 0.0)
        return time.monotonic() < until_s

    def refusal(self, request: Request, *, socket: bool) -> Refusal | None:
        """Why a request is refused, if it is; a page that opens a `socket` has to be one of ours."""
        if self.misled(request):
            return self.misled(request)
        host, origins = request.headers.get_all("Host")[0], request.headers.get_all("Origin")
        if (socket or origins) and origins != [f"http://{host}"]:
            return Refusal(HTTPStatus.FORBIDDEN, "asked for by the page of another site; open this one's own page")
        if not secrets.compare_digest(field(request, "token").encode(), self._token.encode()):
            return Refusal(HTTPStatus.FORBIDDEN, "no token, or not this server's; open the address that it printed")
        return None

    def misled(self, request: Request) -> Refusal | None:
        """Why a request is refused that was sent here under a false name, or does not ask for a page."""
        if request.method != "GET":
            return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "there are pages here, and nothing else")
        hosts = request.headers.get_all("Host")
        if len(hosts) != 1 or _name(hosts[0]) not in LOOPBACK_NAMES:
            return Refusal(HTTPStatus.MISDIRECTED_REQUEST, "no name of this machine; open the address that was printed")
        return None


def _name(host: str) -> str | None:
    """Of `name:port`, the name."""
    try:
        parts = urlsplit(f"//{host}")
        return parts.hostname if parts.netloc == host and parts.username is None else None
    except ValueError:
        return None


def asked_for(request: Request) -> str:
    """The path that a request is for, whatever else it holds: a stranger's need not be an address at all."""
    return request.path.partition("?")[0]


def field(request: Request, name: str) -> str:
    """The one value of a query's field, or nothing."""
    try:
        values = parse_qs(urlsplit(request.path).query, max_num_fields=MAX_FIELDS).get(name, [])
    except ValueError:
        return ""
    return values[0] if len(values) == 1 else ""
