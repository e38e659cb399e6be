"""Why a client is heard no further, as it is told and as a program can tell."""

from typing import Literal

Code = Literal["full", "timeout", "not-an-event", "too-large", "format", "order", "language", "model", "recogniser"]
"""full: no more connections. timeout: the client said nothing, or did not read. not-an-event, too-large: what it sent
cannot be read. format, order, language, model: cannot be served. recogniser: the daemon is away, or has no room."""


class RefusedError(Exception):
    """A client is told why, and its connection ends."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code: Code = code
