"""Where a setting comes from: a line of a TOML file, the command line, or nowhere but the default."""

import re
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

KeyPath = tuple[str, ...]

DEFAULT = "default"
COMMAND_LINE = "command line"
DEEPEST = 20
"""No setting lies as deep; what does is looked for no further."""

_TOKEN = re.compile(
    r'''"""(?:\\.|[^\\])*?"{3,5}|\'{3}.*?\'{3,5}|"(?:\\.|[^"\\])*"|'[^']*'|\#[^\n]*|[\[\]{}\n]''', re.DOTALL
)
"""What may hold a line end that ends nothing, and what a statement's end is known by."""


def line_numbers(text: str) -> dict[KeyPath, int]:
    """Line of each table and key of valid TOML; the n-th of an array, or `[[table]]`, is (`name`, `n`) from 0."""
    lines: dict[KeyPath, int] = {}
    tables: dict[KeyPath, int] = {}  # how many each array of tables has by now
    table: KeyPath = ()
    for line, statement in _statements(text):
        try:
            said = tomllib.loads(statement)
        except RecursionError:  # brackets that went just so deep when the whole text was parsed
            continue
        if statement.lstrip().startswith("["):
            table = _opened(said, tables)
            for n in range(1, len(table) + 1):
                lines.setdefault(table[:n], line)
        else:
            for path in _paths(said):
                lines.setdefault((*table, *path), line)
    return lines


def origins(table: dict[str, Any], origin_of: Callable[[KeyPath], str], path: KeyPath = ()) -> dict[str, Any]:
    """A table of the same form, with the origin of each value in its place."""
    return {key: _origin(value, origin_of, (*path, key)) for key, value in table.items()}


def _origin(value: Any, origin_of: Callable[[KeyPath], str], path: KeyPath) -> Any:
    if isinstance(value, dict):
        return origins(value, origin_of, path)
    if isinstance(value, list) and any(isinstance(member, dict) for member in value):
        return [_origin(member, origin_of, (*path, str(n))) for n, member in enumerate(value)]
    return origin_of(path)


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """One table over another; anything but a table goes over the whole of what is below it."""
    both = dict(below)
    for key, value in above.items():
        both[key] = merged(both.get(key, {}), value) if isinstance(value, dict) else value
    return both


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each statement of valid TOML, with its first line; comments and blank lines are statements that say nothing."""
    begin, line, depth = 0, 1, 0
    for token in _TOKEN.finditer(text + "\n"):
        depth += (token[0] in "[{") - (token[0] in "]}")
        if token[0] == "\n" and depth == 0:
            statement = text[begin : token.end()]
            yield line, statement
            begin, line = token.end(), line + statement.count("\n")


def _opened(header: dict[str, Any], tables: dict[KeyPath, int]) -> KeyPath:
    """The path of the table that a header opens; one within an array of tables is in the latest of them."""
    path: KeyPath = ()
    inner: Any = header
    while inner and len(path) < DEEPEST:
        (key, inner), *_ = inner.items()
        path = (*path, key)
        if isinstance(inner, list):
            tables[path] = tables.get(path, 0) + 1
            inner = inner[0]
        if path in tables:
            path = (*path, str(tables[path] - 1))
    return path


def _paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Of all that a value holds."""
    if len(path) == DEEPEST:
        return
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield (*path, str(key))
        yield from _paths(member, (*path, str(key)))
