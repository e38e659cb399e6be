"""The one page, with the headers that keep it to itself."""

import secrets
from http import HTTPStatus
from importlib.resources import files

from websockets.datastructures import Headers
from websockets.http11 import Response

NONCE_BYTES = 16
PLACEHOLDER = "@NONCE@"
"""Stands in a page where the nonce of an answer belongs."""


class Pages:
    """The page, and what is shown to those who may not see it."""

    def __init__(self) -> None:
        folder = files("digitd.daemon.web")
        self._page, self._refused = ((folder / name).read_text("utf-8") for name in ("page.html", "refused.html"))

    def page(self, host: str) -> Response:
        """The page, for a browser that has asked `host` for it: it connects to nothing else."""
        return _html(HTTPStatus.OK, self._page, f"ws://{host} 'self'")

    def refused(self, status: HTTPStatus) -> Response:
        """The page that tells where to find the address; it may know it itself, of an earlier visit."""
        return _html(status, self._refused, "'none'")


def redirection(path: str) -> Response:
    """Sends a browser elsewhere on this server."""
    response = plain(HTTPStatus.SEE_OTHER, "")
    response.headers["Location"] = path
    return response


def plain(status: HTTPStatus, text: str) -> Response:
    """A line of text."""
    return _response(status, f"{text}\n", "text/plain", "default-src 'none'; frame-ancestors 'none'")


def _html(status: HTTPStatus, page: str, connect: str) -> Response:
    nonce = secrets.token_urlsafe(NONCE_BYTES)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}' blob:; style-src 'nonce-{nonce}'; img-src data:; "
        f"connect-src {connect}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )  # blob: for the microphone's worklet, which stands in the page too
    return _response(status, page.replace(PLACEHOLDER, nonce), "text/html", policy)


def _response(status: HTTPStatus, text: str, kind: str, policy: str) -> Response:
    body = text.encode()
    headers = Headers(
        {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(body)),
            "Content-Security-Policy": policy,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Connection": "close",
        }
    )
    return Response(status.value, status.phrase, headers, body)
