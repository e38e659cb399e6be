"""TOML that nobody means, and how its refusal must look."""

import dataclasses
import re
import typing
from collections.abc import Iterator

from digitd.daemon.errors import ConfigError

TOO_LONG = "0x" + "f" * 5000
"""A whole number that Python reads and does not print."""
TOO_LARGE = "1" + "0" * 400
"""... and that is no float."""
TOO_DEEP = "{" + "a." * 1500 + "a = 1}"
"""A table that Python reads and does not print."""
SLOW_STRING = '"""\n[' + " " * 3000 + '\n"""'
"""What a careless regular expression for `[table]` takes minutes for."""
VALUES = (
    TOO_LONG,
    TOO_LARGE,
    TOO_DEEP,
    "-9223372036854775809",
    "nan",
    "-inf",
    "1e308",
    "0.5",
    "1",
    "true",
    '""',
    '"a\\nb\\u0000\\u2028"',
    "1979-05-27T07:32:00Z",
    "07:32:00",
    "[]",
    "[[[[[]]]]]",
    "[1, 'x', nan]",
    "['a', 'a']",
    "['(?<\\u0001', 'a{9,1}', 'a{99999999999999999999}']",
    "{}",
    "{a = {b.c = 1}}",
)
TOKENS = ("[[", "]]", '"""', "'''", "\\u0000", "\\U0010ffff", "0x", "1e400", "nan", "-inf", "true", "2000-01-01", " = ")

_PAIR = re.compile(r"^([\w-]+) = (.*)$", re.MULTILINE)


def variants(text: str) -> Iterator[bytes]:
    """The text, and with the value of each `key = value` line in turn replaced by each that nobody means."""
    yield text.encode()
    for pair in _PAIR.finditer(text):
        for value in VALUES:
            yield (text[: pair.start(2)] + value + text[pair.end(2) :]).encode()


def words(cls: type) -> tuple[str, ...]:
    """Every key, choice and token that text for the settings `cls` may be made of."""
    return tuple(dict.fromkeys(word for word in (*_names(cls), *TOKENS) if word))


def _names(hint: typing.Any) -> Iterator[str]:
    if dataclasses.is_dataclass(hint):
        for name, inner in typing.get_type_hints(hint).items():
            yield name
            yield from _names(inner)
    for inner in typing.get_args(hint):
        yield from [inner] if isinstance(inner, str) else _names(inner)


def refused(error: ConfigError, origin: str) -> None:
    """Each problem is one line that can be printed and says where it stands."""
    for line in str(error).split("\n"):
        assert line.startswith(f"{origin}:"), line
        assert line.isprintable(), line
