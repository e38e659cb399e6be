"""The tokens that let in: a file with the digest of each, which is of no use to who reads it."""

import hashlib
import hmac
import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from digitd.daemon.errors import ConfigError

TOKEN_BYTES = 32
"""Nobody guesses one of that length, and so a digest without salt and stretching keeps it."""
MAX_FILE_BYTES = 1024 * 1024
LINE = re.compile(r"(?P<name>[A-Za-z0-9._-]{1,64}):(?P<digest>[0-9a-f]{64})")
REMEDY = "a line is NAME:DIGEST, as `digitd gateway --new-token NAME --tokens FILE` adds it"


@dataclass(frozen=True)
class Token:
    """What is known of one."""

    name: str
    """Of its holder; two tokens may have the same while one takes the place of the other."""
    digest: str
    """SHA-256, in hex."""


class Tokens:
    """Those of one file."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self._tokens = tokens

    def __contains__(self, token: object) -> bool:
        return token in self._tokens

    def __len__(self) -> int:
        return len(self._tokens)

    def find(self, shown: str) -> Token | None:
        """The one that was shown; how long that takes tells nothing of how nearly right it is."""
        digest, found = digest_of(shown), None
        for token in self._tokens:
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found


def digest_of(token: str) -> str:
    """What stands in the file."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def read(path: Path) -> Tokens:
    """The tokens of a file.

    Raises:
        ConfigError: it cannot be read, others may read or change it, or it holds something else, or nothing.
    """
    found = _listed(path, read_guarded(path))
    if not found:
        raise ConfigError(f"{path}: holds no token, so that nobody could come in; {REMEDY}")
    return Tokens(found)


def _listed(path: Path, text: str) -> tuple[Token, ...]:
    """The tokens that a file's text names.

    Raises:
        ConfigError: it holds something else.
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = LINE.fullmatch(line.strip())
        if match is None:  # which may be a token: it is not repeated
            raise ConfigError(f"{path}:{number}: holds no name and digest; {REMEDY}")
        found.append(Token(match["name"], match["digest"]))
    return tuple(found)


def read_guarded(path: Path) -> str:
    """The text of a file that is kept from others.

    Raises:
        ConfigError: it is not, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & (stat.S_IRWXO | stat.S_IWGRP):
                raise ConfigError(f"{path}: others may read or change it (mode {mode:o}); chmod 600 {path}")
            text = file.read(MAX_FILE_BYTES + 1)
        if len(text) > MAX_FILE_BYTES:
            raise ConfigError(f"{path}: more than {MAX_FILE_BYTES} bytes; {REMEDY}")
        return text.decode()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name a file that is there") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is no text; {REMEDY}") from error


def add(path: Path, name: str) -> str:
    """A new token, whose digest is added to a file; the file is made where it is not there.

    Raises:
        ConfigError: it cannot be written, holds something else than tokens, or such a name cannot be.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    line = f"{name}:{digest_of(token)}"
    if not LINE.fullmatch(line):
        raise ConfigError(f"--new-token {name!r:.100}: no name; take 1 to 64 letters, digits and . _ -")
    held = read_guarded(path) if path.exists() else ""
    _listed(path, held)
    begin = "\n" if held and not held.endswith("\n") else ""  # an editor may have left the last line open
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w") as file:
            file.write(f"{begin}{line}\n")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror}); name a file of your own") from error
    return token
