"""`[model] name` of a digitd.toml, changed without touching anything else in the file."""

import re
import tempfile
from pathlib import Path
from typing import Any

from digitd.daemon.errors import ConfigError
from digitd.daemon.origin import line_numbers, merged
from digitd.daemon.settings import parse_table, read_text

_NAME = re.compile(r"""(?P<before>(?:^|[\s{,.])name\s*=\s*)(?:"[^"\n]*"|'[^'\n]*')""")


def changed(text: str, name: str, origin: str = "digitd.toml") -> str:
    """TOML text in which [model] name is `name`; comments and all else stay as they are.

    Raises:
        ConfigError: it is no TOML, or so written that it must be changed by hand.
    """
    table, lines = parse_table(text, origin), line_numbers(text)
    rows = text.splitlines(keepends=True)
    setting = f'name = "{name}"\n'
    if place := lines.get(("model", "name")):
        rows[place - 1] = _NAME.sub(rf'\g<before>"{name}"', rows[place - 1], count=1)
    elif place := lines.get(("model",)):
        rows.insert(place, setting)
    else:
        rows += ["" if not text or text.endswith("\n") else "\n", "\n" if text else "", "[model]\n", setting]
    new = "".join(rows)
    wanted: dict[str, Any] = merged(table, {"model": {"name": name}})
    if parse_table(new, origin) != wanted:
        raise ConfigError(
            f'{origin}: is written in a way that is not changed by program; write name = "{name}" into [model]'
        )
    return new


def write(path: Path, name: str) -> None:
    """Change the file, or make it; whole or not at all.

    Raises:
        ConfigError: it cannot be read or written, or must be changed by hand.
    """
    text = read_text(path) if path.exists() else ""
    new = changed(text, name, str(path))
    target = path.resolve()  # a link stays one
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, delete=False) as file:
            file.write(new)
        beside = Path(file.name)
        beside.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o644)
        beside.replace(target)
    except OSError as error:
        raise ConfigError(
            f'{path}: cannot be written ({error.strerror}); write name = "{name}" into [model]'
        ) from error


def model_name(path: Path) -> str | None:
    """What the file says, where there is a file and it says something."""
    if not path.exists():
        return None
    name = parse_table(read_text(path), str(path)).get("model", {}).get("name")
    return name if isinstance(name, str) else None
