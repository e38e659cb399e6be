"""`digitd config`: the effective settings as a TOML file, each with where it comes from."""

import argparse
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import tomli_w

from digitd.daemon.cli import add_run, given_flags
from digitd.daemon.command import Command
from digitd.daemon.errors import ConfigError
from digitd.daemon.origin import COMMAND_LINE, DEFAULT, KeyPath
from digitd.daemon.sinks.sink import ReaderGone
from digitd.daemon.sinks.stdout import write_line

if TYPE_CHECKING:
    from digitd.daemon.config import Composition  # it names all stages, ONNX Runtime too

WIDEST = 60
"""An array goes on one line up to so many characters, and no origin stands further to the right for a longer line."""


def _config(arguments: argparse.Namespace) -> int:
    from digitd.daemon.config import composition

    lines = file_lines(composition(arguments.config, given_flags(arguments)))
    with suppress(ReaderGone):
        write_line("\n".join(lines))
    return 0


def file_lines(settings: "Composition") -> list[str]:
    """A TOML file that holds the settings; a comment behind each value tells its origin.

    Raises:
        ConfigError: a value of the command line is no UTF-8, which TOML is.
    """
    from digitd.daemon.config import effective

    return list(_table(effective(settings.config), settings.origins, ()))


def _table(table: dict[str, Any], origins: dict[str, Any], path: KeyPath) -> Iterator[str]:
    """The table's own values, then the tables within it."""
    inner = {key: value for key, value in table.items() if _holds_tables(value)}
    own = {key: value for key, value in table.items() if key not in inner}
    yield from _values(own, origins, path)
    for key, value in inner.items():
        name = ".".join((*path, key))
        if isinstance(value, dict):
            yield from ("", f"[{name}]")
            yield from _table(value, origins.get(key, {}), (*path, key))
            continue
        for member, origin in zip(value, origins.get(key, [{}] * len(value)), strict=True):
            yield from ("", f"[[{name}]]")
            yield from _table(member, origin, (*path, key))


def _holds_tables(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(member, dict) for member in value))


def _values(own: dict[str, Any], origins: dict[str, Any], path: KeyPath) -> Iterator[str]:
    """The assignments; the origins of those that are not long stand in one column."""
    texts = {key: _assignment(key, value, ".".join((*path, key))) for key, value in own.items()}
    width = max((len(text) for text in texts.values() if len(text) <= WIDEST), default=0)
    for key, text in texts.items():
        padding = "" if "\n" in text else " " * (width - len(text))
        yield f"{text}{padding}  # {_on_one_line(origins.get(key, DEFAULT))}"


def _assignment(key: str, value: Any, name: str) -> str:
    """`key = value`; an array is on one line where it is short."""
    text = tomli_w.dumps({key: value}).rstrip("\n")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"{COMMAND_LINE}: {name}: {value!r} is no UTF-8, which a TOML file is; rename it") from error
    if isinstance(value, list):
        members = ", ".join(tomli_w.dumps({key: member}).rstrip("\n").partition(" = ")[2] for member in value)
        in_one = f"{key} = [{members}]"
        return in_one if len(in_one) <= WIDEST else text
    return text


def _on_one_line(origin: str) -> str:
    """A file may have any name; a comment may not."""
    return origin if origin.isprintable() else repr(origin)


COMMANDS = {"config": Command(add_run, _config)}
