"""`digitd config`: the effective settings as a file, each with where it comes from."""

import dataclasses
import os
import re
import subprocess
import sys
import tomllib
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import DEMO, DEMO_DIGITS, ROOT

from digitd.daemon.config import Composition, DaemonConfig, composition, effective
from digitd.daemon.config_cli import file_lines
from digitd.daemon.errors import ConfigError
from digitd.daemon.origin import KeyPath, line_numbers
from digitd.daemon.settings import as_table, from_table, parse

Digitd = Callable[..., subprocess.CompletedProcess[Any]]
Values = dict[KeyPath, Any]

DECOYS = ("", "mic", "unix:/run/x", "127.0.0.1:0", '\n[model]\nname = "x"\n', "a  # default", "'''", '"""', "]", "\\")
"""Strings that settings take, and some that look like TOML."""


def keys(cls: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any, Any]]:
    """Of all that may be set: where it stands, its type and its field's metadata."""
    hints = typing.get_type_hints(cls)
    for each in dataclasses.fields(cls):
        if dataclasses.is_dataclass(hints[each.name]):
            yield from keys(hints[each.name], (*path, each.name))
        else:
            yield (*path, each.name), hints[each.name], each.metadata


KEYS = {path: (hint, metadata) for path, hint, metadata in keys(DaemonConfig) if path != ("sources",)}
"""Of those that have a default."""


def of_type(hint: Any, metadata: Any) -> st.SearchStrategy[Any]:
    """Values as they stand in a plain table."""
    low, high = metadata.get("at_least"), metadata.get("at_most")
    if typing.get_origin(hint) is tuple:
        return st.lists(of_type(typing.get_args(hint)[0], metadata), max_size=9)
    if typing.get_origin(hint) is Literal:
        return st.sampled_from(typing.get_args(hint))
    numbers = {int: st.integers(low, high), float: st.floats(low, high, allow_nan=False), bool: st.booleans()}
    return numbers[hint] if hint in numbers else st.sampled_from(DECOYS) | st.text()


def nested(values: Values) -> dict[str, Any]:
    """The plain table of values."""
    table: dict[str, Any] = {}
    for path, value in values.items():
        inner = table
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
        inner[path[-1]] = value
    return table


def fits(values: Values) -> bool:
    """Whether the daemon takes them."""
    try:
        from_table(DaemonConfig, nested(values), "test")
    except ConfigError:
        return False
    return True


@st.composite
def given_values(draw: st.DrawFn, below: Values) -> Values:
    """Some of the settings, which fit with all of those below them."""
    chosen: Values = {}
    for path in draw(st.lists(st.sampled_from(sorted(KEYS)), unique=True)):
        value = draw(of_type(*KEYS[path]))
        if fits(below | chosen | {path: value}):
            chosen[path] = value
    return chosen


class Script:
    """A TOML text, and on which line each value was written."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self.text = ""
        self.lines: dict[KeyPath, int] = {}

    def write(self, statement: str, *paths: KeyPath) -> None:
        self.text += self._draw(st.sampled_from(["", "\n", "# [x] y = 1\n", '  # """\n\n']))
        self.lines |= dict.fromkeys(paths, self.text.count("\n") + 1)
        self.text += statement + self._draw(st.sampled_from(["\n", " # ] '''\n"]))

    def value(self, value: Any) -> str:
        on_several_lines = self._draw(st.booleans()) and "\\r" not in repr(value)
        return tomli_w.dumps({"k": value}, multiline_strings=on_several_lines)[4:].rstrip("\n")


@st.composite
def scripts(draw: st.DrawFn, values: Values) -> Script:
    """A file that says them, each of its tables in one of the ways that TOML has."""
    script = Script(draw)
    tables = draw(st.permutations(sorted({path[0] for path in values if len(path) > 1})))
    ways = {table: draw(st.sampled_from(["dotted", "inline", "headed"])) for table in tables}
    for path in values:
        if len(path) == 1 or ways[path[0]] == "dotted":
            script.write(f"{' . '.join(path)} = {script.value(values[path])}", path)
    for table in (table for table in tables if ways[table] == "inline"):
        own = {path: value for path, value in values.items() if path[0] == table}
        inline = ", ".join(f"{'.'.join(path[1:])} = {script.value(value)}" for path, value in own.items())
        script.write(f"{table} = {{{inline}}}", *own)
    for table in (table for table in tables if ways[table] == "headed"):
        for header in dict.fromkeys(path[:-1] for path in values if path[0] == table):
            script.write(f" [{'.'.join(header)}]")
            for path in (path for path in values if path[:-1] == header):
                script.write(f"{path[-1]} = {script.value(values[path])}", path)
    return script


def told(lines: list[str]) -> dict[KeyPath, str]:
    """The origin of each value in what was printed."""
    origins: dict[KeyPath, str] = {}
    table: KeyPath = ()
    for line in "\n".join(lines).split("\n"):
        if line.startswith("["):
            table = tuple(line.strip("[]").split("."))
            continue
        if key := re.match(r"(\w+) = ", line):
            path = (*table, key[1])
        if line and not line.endswith((" = [", ",")):  # else its array goes on
            origins[path] = line.rpartition("  # ")[2]
    return origins


@settings(deadline=None)
@given(st.data())
def test_what_is_printed_reads_back_and_tells_where_each_value_comes_from(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    in_file = data.draw(given_values({}))
    in_flags = data.draw(given_values(in_file))
    script = data.draw(scripts(in_file))
    file = tmp_path_factory.getbasetemp() / "digitd.toml"
    file.write_text(script.text, encoding="utf-8", newline="")
    found = composition(file, nested(in_flags))
    expected = from_table(DaemonConfig, nested(in_file | in_flags), "test")
    assert found.config == expected
    printed = file_lines(found)
    assert parse(DaemonConfig, "\n".join(printed), "again") == expected
    origins = dict.fromkeys(KEYS, "default")
    origins |= {path: f"{file}:{line}" for path, line in script.lines.items()}
    origins |= dict.fromkeys(in_flags, "command line")
    assert told(printed) == origins


def test_the_lines_of_all_that_toml_can_say() -> None:
    text = (
        "a.b = 1 # [x]\n"
        "[[many]]\n[[many.more]]\nc = [ # ]\n  '''\n[d]''', { e = 2 }\n]\n"
        '[[many.more]]\nf = """[\n""\\""""""\n'
        "[[many]]\n['g.h'.i]\n\"j'\" = 1"
    )
    assert tomllib.loads(text)["many"][0]["more"][1] == {"f": '[\n"""""'}
    assert line_numbers(text) == {
        ("a",): 1,
        ("a", "b"): 1,
        ("many",): 2,
        ("many", "0"): 2,
        ("many", "0", "more"): 3,
        ("many", "0", "more", "0"): 3,
        ("many", "0", "more", "0", "c"): 4,
        ("many", "0", "more", "0", "c", "0"): 4,
        ("many", "0", "more", "0", "c", "1"): 4,
        ("many", "0", "more", "0", "c", "1", "e"): 4,
        ("many", "0", "more", "1"): 8,
        ("many", "0", "more", "1", "f"): 9,
        ("many", "1"): 11,
        ("g.h",): 12,
        ("g.h", "i"): 12,
        ("g.h", "i", "j'"): 13,
    }


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 300 + "]" * 300, "a = [" + "\n" * 50_000 + "]", "a = [\n" + "[],\n" * 9_000 + "]"]
)
def test_the_lines_of_hostile_values_come_at_once(text: str) -> None:
    tomllib.loads(text)
    line_numbers(text)


def test_it_prints_the_file_that_run_takes(digitd: Digitd, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('log_level = "error"\n[source]\nchannels = 1\n')
    done = digitd("config", "--config", "a.toml", "--source", DEMO, "--sink", "stdout:strings", cwd=tmp_path)
    assert done.stdout.startswith(
        'sinks = ["stdout:strings"]  # command line\n'
        "secret = false              # default\n"
        'log_level = "error"         # a.toml:1\n'
        'log_format = "auto"         # default\n'
        "\n"
        "[source]\n"
    )
    assert f'spec = "{DEMO}"  # command line\n' in done.stdout
    assert re.search(r"^channels = 1 +# a\.toml:3$", done.stdout, re.MULTILINE)
    assert done.stdout.endswith("\n")
    (tmp_path / "b.toml").write_text(done.stdout)
    assert digitd("run", "--config", tmp_path / "b.toml").stdout == f"{DEMO_DIGITS}\n"


def test_tables_stand_in_the_order_of_the_dataclasses() -> None:
    headers = [line.strip("[]") for line in file_lines(composition(None, {})) if line.startswith("[")]
    order = dict.fromkeys(".".join(path[:n]) for path in KEYS if len(path) > 1 for n in range(1, len(path)))
    assert headers == list(order)


def test_several_sources_take_the_place_of_one(tmp_path: Path) -> None:
    file = tmp_path / "digitd.toml"
    file.write_text('[[sources]]\nspec = "mic:a"\nname = "kitchen"\n[[sources]]\nspec = "-"\n')
    found = composition(file, {})
    assert [source.spec for source in found.config.heard] == ["mic:a", "-"]
    assert found.config.heard[0].name == "kitchen"
    assert parse(DaemonConfig, "\n".join(file_lines(found)), "again") == found.config
    assert f"{file}:2" in next(line for line in file_lines(found) if line.startswith('spec = "mic:a"'))
    by_flag = composition(file, {"source": {"spec": "a.wav"}})
    assert [source.spec for source in by_flag.config.heard] == ["a.wav"]
    file.write_text('[source]\nspec = "a.wav"\n')
    both = composition(file, {"sources": [{"spec": "b.wav"}, {"spec": "unix:/run/x"}]})
    assert [source.spec for source in both.config.heard] == ["b.wav", "unix:/run/x"]
    assert both.config.heard[1].callers == Path("/run/x")
    with pytest.raises(ConfigError, match="keep one of them"):
        parse(DaemonConfig, '[source]\nspec = "a.wav"\n[[sources]]\nspec = "b.wav"\n', "x")


def test_a_long_array_stands_on_several_lines() -> None:
    sinks = ["stdout:text", "unix:" + "x" * 50]
    lines = file_lines(composition(None, {"sinks": sinks}))
    assert lines[0] == f'sinks = [\n    "{sinks[0]}",\n    "{sinks[1]}",\n]  # command line'
    assert lines[1] == "secret = false         # default"


def test_all_problems_of_the_file_and_of_the_command_line_at_once(digitd: Digitd, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[model]\nname = 3\n[segmenter]\nhangover = 1\n")
    for command in ("config", "run"):
        done = digitd(command, "--config", "bad.toml", "--mode", "alway", "--rate", "0", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.removeprefix("digitd: error: ").splitlines() == [
            "bad.toml:2: model.name: 3 must be a string",
            "bad.toml:4: segmenter.hangover: unknown key; did you mean 'hangover_ms'?",
            "command line: source.rate_hz: 0 is out of range; allowed are values from 1000 to 768000",
            "command line: model.mode: 'alway' must be one of 'always', 'entry'; did you mean 'always'?",
        ]


def test_a_flag_is_held_against_the_file(tmp_path: Path) -> None:
    file, flags = tmp_path / "a.toml", {"segmenter": {"post_roll_ms": 300}}
    file.write_text("segmenter.hangover_ms = 400")
    assert composition(file, flags).config.segmenter.post_roll_ms == 300
    with pytest.raises(ConfigError, match=r"^command line: segmenter: post_roll_ms = 300 is longer"):
        composition(None, flags)


@dataclass(frozen=True)
class Inner:
    share: float = 0.5
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outer:
    """Settings as others may come to have."""

    rest: Inner = field(default_factory=Inner)
    many: tuple[Inner, ...] = (Inner(), Inner(0.7))
    none: tuple[Inner, ...] = ()
    name: str = "x"


def test_an_array_of_tables_is_printed_as_such() -> None:
    shares: list[dict[str, str]] = [{"share": "f.toml:4"}, {}]
    for config, given_origins in ((Outer(), {}), (Outer(many=(Inner(1.0, ("y",) * 20), Inner())), {"many": shares})):
        text = "\n".join(file_lines(Composition(config, given_origins)))  # type: ignore[arg-type]
        assert parse(Outer, text, "again") == config
    assert text.index("name = ") < text.index("[rest]") < text.index("[[many]]\nshare = 1.0  # f.toml:4")
    assert as_table(config)["none"] == []


def test_a_value_that_toml_cannot_hold_is_told(digitd: Digitd) -> None:
    done = digitd("config", "--source", os.fsdecode(b"\xff.wav"))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert r"command line: source.spec: '\udcff.wav' is no UTF-8, which a TOML file is; rename it" in done.stderr


def test_a_file_of_any_name_is_an_origin_on_one_line(tmp_path: Path) -> None:
    file = tmp_path / os.fsdecode(b"a\n\xff.toml")
    file.write_text('log_level = "info"')
    text = "\n".join(file_lines(composition(file, {})))
    text.encode()
    assert parse(DaemonConfig, text, "again").log_level == "info"
    assert r"a\n\udcff.toml:1'" in text


def test_its_reader_may_leave() -> None:
    command = f"{sys.executable} -m digitd config | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_the_shipped_file_is_the_origin_of_all_that_it_holds() -> None:
    shipped = ROOT / "systemd/digitd.toml"
    text = shipped.read_text().splitlines()
    for path, origin in told(file_lines(composition(shipped, {}))).items():
        if origin != "default":
            line = int(origin.removeprefix(f"{shipped}:"))
            assert text[line - 1].startswith(f"{path[-1]} = ")
    assert composition(shipped, {}).config == DaemonConfig()
    assert effective(DaemonConfig())["log_level"] == "warning"
