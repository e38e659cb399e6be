"""TOML text -> frozen dataclasses, strictly: every problem at once, each with file, line and key."""

import dataclasses
import difflib
import reprlib
import tomllib
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from digitd.daemon.errors import ConfigError
from digitd.daemon.origin import KeyPath, line_numbers

Settings = TypeVar("Settings")

_TYPE_NAMES = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
_LEAST_INTEGER, _MOST_INTEGER = -(2**63), 2**63 - 1  # what TOML promises; Python cannot print much longer ones

_values = reprlib.Repr()  # of a value in a message: neither endless nor deeper than `repr` can go
_values.maxstring = _values.maxother = 200
_values.maxlevel = 3
_values.maxlist = _values.maxdict = 20
shown = _values.repr


def setting(default: Any = dataclasses.MISSING, *, at_least: float | None = None, at_most: float | None = None) -> Any:
    """A dataclass field with the range that it may lie in; without a default the key must be there."""
    return dataclasses.field(default=default, metadata={"at_least": at_least, "at_most": at_most})


def read(cls: type[Settings], path: Path) -> Settings:
    """`parse` of a file.

    Raises:
        ConfigError: the file cannot be read, or its contents do not fit.
    """
    return parse(cls, read_text(path), str(path))


def read_text(path: Path) -> str:
    """The text of a TOML file.

    Raises:
        ConfigError: it cannot be read, or is no UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name a TOML file that exists") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: no valid TOML: {error}") from error
    except ValueError as error:  # a NUL in the path
        raise ConfigError(f"{str(path)!r}: cannot be read ({error}); name a TOML file that exists") from error


def parse(cls: type[Settings], text: str, origin: str) -> Settings:
    """One settings value from TOML text; `origin` names the text in messages.

    Raises:
        ConfigError: no TOML, or one line for each unknown key, missing key, wrong type and value out of range.
    """
    return from_table(cls, parse_table(text, origin), origin, line_numbers(text))


def parse_table(text: str, origin: str) -> dict[str, Any]:
    """The plain table of TOML text.

    Raises:
        ConfigError: it is no TOML.
    """
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is one; so are numbers of 5,000 digits
        raise ConfigError(f"{origin}: no valid TOML: {error}") from error
    if not all(_LEAST_INTEGER <= number <= _MOST_INTEGER for number in _integers(table)):
        raise ConfigError(f"{origin}: no valid TOML: a whole number of more than 64 bits")
    return table


def _integers(table: dict[str, Any]) -> Iterator[int]:
    """All that stand in it, at any depth."""
    waiting: list[Any] = [table]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value
        elif isinstance(value, int):
            yield value


def from_table(
    cls: type[Settings],
    table: dict[str, Any],
    origin: str,
    lines: dict[KeyPath, int] | None = None,
    path: KeyPath = (),
) -> Settings:
    """One settings value from a plain table that stands at `path`; `lines` tells where each key stands.

    Raises:
        ConfigError: as `parse`.
    """
    reader = _Reader(origin, lines or {}, [])
    value = reader.table(cls, table, path)
    if reader.problems:
        raise ConfigError("\n".join(reader.problems))
    return typing.cast(Settings, value)


def as_table(settings: Any) -> dict[str, Any]:
    """The nested plain table of a settings value, ready for a TOML writer; None, which TOML lacks, is left out."""
    table: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if value is not None:
            table[field.name] = _plain(value)
    return table


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return as_table(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


@dataclass
class _Reader:
    origin: str
    lines: dict[KeyPath, int]
    problems: list[str]

    def report(self, path: KeyPath, problem: str) -> None:
        line = next((self.lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self.lines), None)
        where = f"{self.origin}:{line}" if line else self.origin
        told = f"{where}: {'.'.join(path)}: {problem}" if path else f"{where}: {problem}"
        self.problems.append("".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in told))

    def table(self, cls: type, table: Any, path: KeyPath) -> Any:
        """A value of the dataclass `cls`, or None where a problem was reported."""
        if not isinstance(table, dict):
            return self.report(path, f"{shown(table)} must be a table")
        fields = {field.name: field for field in dataclasses.fields(cls)}
        known_problems = len(self.problems)
        for key in sorted(table.keys() - fields.keys()):
            self.report((*path, key), f"unknown key{nearest(key, fields)}")
        values = dict(self.fields(cls, fields, table, path))
        if len(self.problems) > known_problems:
            return None
        try:
            return cls(**values)
        except ValueError as error:  # what a __post_init__ finds: values that do not fit each other
            return self.report(path, str(error))

    def fields(
        self, cls: type, fields: dict[str, dataclasses.Field[Any]], table: dict[str, Any], path: KeyPath
    ) -> Iterator[tuple[str, Any]]:
        hints = typing.get_type_hints(cls)
        for name, field in fields.items():
            required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            if name in table:
                yield name, self.value(hints[name], table[name], (*path, name), field)
            elif required:
                self.report((*path, name), "missing key")

    def value(self, hint: Any, value: Any, path: KeyPath, field: dataclasses.Field[Any]) -> Any:
        if typing.get_origin(hint) in (
            types.UnionType,
            typing.Union,
        ):  # `X | None`: TOML has no null, so a value that stands there is an X
            options = [option for option in typing.get_args(hint) if option is not types.NoneType]
            if all(typing.get_origin(option) is typing.Literal for option in options):
                return self.choice(tuple(word for option in options for word in typing.get_args(option)), value, path)
            hint = options[0]
        if dataclasses.is_dataclass(hint):
            return self.table(typing.cast(type, hint), value, path)
        if typing.get_origin(hint) is tuple:
            return self.array(typing.get_args(hint)[0], value, path, field)
        if typing.get_origin(hint) is typing.Literal:
            return self.choice(typing.get_args(hint), value, path)
        return self.scalar(hint, value, path, field)

    def array(self, hint: Any, value: Any, path: KeyPath, field: dataclasses.Field[Any]) -> Any:
        if not isinstance(value, list):
            return self.report(path, f"{shown(value)} must be an array")
        return tuple(self.value(hint, item, (*path, str(n)), field) for n, item in enumerate(value))

    def choice(self, choices: tuple[Any, ...], value: Any, path: KeyPath) -> Any:
        if value not in choices:
            told = value if isinstance(value, str) else shown(value)
            near = difflib.get_close_matches(told, map(str, choices), n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            self.report(path, f"{shown(value)} must be one of {', '.join(map(repr, choices))}{hint}")
        return value

    def scalar(self, hint: type, value: Any, path: KeyPath, field: dataclasses.Field[Any]) -> Any:
        if hint is float and type(value) is int:
            value = float(value)
        if type(value) is not hint:
            return self.report(path, f"{shown(value)} must be {_TYPE_NAMES[hint]}")
        low, high = field.metadata.get("at_least"), field.metadata.get("at_most")
        if (low is not None and not value >= low) or (high is not None and not value <= high):
            self.report(path, f"{value!r} is out of range; allowed are {range_text(low, high)}")
        return value


def range_text(low: float | None, high: float | None) -> str:
    """`values from 1 to 9`, `values of at least 1` or `values of at most 9`."""
    if low is not None and high is not None:
        return f"values from {low:g} to {high:g}"
    return f"values of at least {low:g}" if low is not None else f"values of at most {high:g}"


def nearest(name: str, known: typing.Iterable[str]) -> str:
    """`; did you mean 'x'?` for the known name nearest to `name`, else a list of all that are known."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
