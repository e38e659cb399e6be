"""Who may come in: one with a token, not of a page that was not named, and only while there is room."""

import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus

from websockets.datastructures import MultipleValuesError
from websockets.http11 import Request

from digitd.daemon.gateway.attempts import MOST_WRONG, WAIT_S, Attempts, origin
from digitd.daemon.gateway.tokens import Token, Tokens
from digitd.daemon.loopback import is_loopback
from digitd.daemon.web.gate import Refusal, asked_for, field

NOBODY = Token("", "")
"""Of those who come in where no token is asked for."""
SCHEME = "bearer "

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Admission:
    """Who is let in."""

    paths: tuple[str, ...]
    """What there is to open."""
    origins: frozenset[str] = frozenset()
    """Of pages that may, as `https://example.org`; programs that are no browsers have none."""
    most: int = 500
    """So many connections at once."""
    most_per_token: int = 100
    behind_proxy: bool = False
    """Whether a proxy of this machine tells whom it speaks for."""


class Gate:
    """Looks at each request before anything else does.

    Args:
        tokens: None: none is asked for.
    """

    def __init__(self, admission: Admission, tokens: Tokens | None) -> None:
        self._admission, self.tokens = admission, tokens
        self._attempts = Attempts()

    def caller(self, request: Request, peer: str) -> str:
        """Where a request comes from: the peer, or whom a proxy has added last."""
        peer = peer.removeprefix("::ffff:")  # of IPv4, where both are listened to
        if self._admission.behind_proxy and is_loopback(peer):
            return ",".join(request.headers.get_all("X-Forwarded-For")).rpartition(",")[2].strip() or peer
        return peer

    def look(self, request: Request, caller: str, inside: Iterable[Token], now_s: float) -> Token | Refusal:
        """Whose request it is, or why it is refused; `inside` are those of all who are in."""
        if misled := self._misled(request):
            return misled
        token = self._token(request, origin(caller), now_s)
        if isinstance(token, Refusal):
            return token
        present = list(inside)
        if len(present) >= self._admission.most:
            return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "all places are taken; try again later")
        if token != NOBODY and sum(each.name == token.name for each in present) >= self._admission.most_per_token:
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, "this token has all the connections that it may; close one")
        return token

    def _misled(self, request: Request) -> Refusal | None:
        if asked_for(request) not in self._admission.paths:
            return Refusal(HTTPStatus.NOT_FOUND, f"there is {' and '.join(self._admission.paths)} here, no more")
        strange = [each for each in request.headers.get_all("Origin") if each not in self._admission.origins]
        if strange:
            return Refusal(HTTPStatus.FORBIDDEN, "asked for by a page of another site; --origin names those that may")
        return None

    def _token(self, request: Request, origin: str, now_s: float) -> Token | Refusal:
        if self.tokens is None:
            return NOBODY
        if wait_s := self._attempts.wait_s(origin, now_s):  # whatever he shows: else he might go on guessing
            return Refusal(HTTPStatus.TOO_MANY_REQUESTS, f"too many wrong tokens; wait {math.ceil(wait_s)} s")
        shown = _shown(request)
        if shown and (token := self.tokens.find(shown)):
            return token
        if not shown:  # who shows none has not guessed
            return Refusal(HTTPStatus.UNAUTHORIZED, "no token; send `Authorization: Bearer TOKEN`")
        if self._attempts.fail(origin, now_s):
            logger.warning("%a has shown %d wrong tokens and has to wait for %g s", origin, MOST_WRONG, WAIT_S)
        return Refusal(HTTPStatus.UNAUTHORIZED, "no token of this gateway")


def _shown(request: Request) -> str:
    """The token of a header, or of the address; nothing where there is none, or more than one."""
    try:
        header = request.headers.get("Authorization")
    except MultipleValuesError:
        return ""
    if header is None:
        return field(request, "token")
    return header[len(SCHEME) :].strip() if header.lower().startswith(SCHEME) else ""
