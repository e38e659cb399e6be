"""TOML text -> settings: every problem at once, each with file, line and key."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import ROOT

from digitd.daemon.config import DaemonConfig, compose, effective
from digitd.daemon.errors import ConfigError
from digitd.daemon.segmenter import SegmenterConfig
from digitd.daemon.settings import as_table, parse, read, setting


@dataclass(frozen=True)
class Inner:
    share: float = setting(0.5, at_least=0, at_most=1)


@dataclass(frozen=True)
class Outer:
    name: str
    kind: Literal["a", "b"] = "a"
    inner: Inner = field(default_factory=Inner)
    many: tuple[Inner, ...] = ()
    words: tuple[str, ...] = ()


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(Outer, text, "f.toml")
    return str(caught.value).splitlines()


def test_values_arrive_with_their_types() -> None:
    text = 'name = "x"\nkind = "b"\nwords = ["p", "q"]\n[inner]\nshare = 1\n[[many]]\n[[many]]\nshare = 0.25'
    assert parse(Outer, text, "f.toml") == Outer("x", "b", Inner(1.0), (Inner(), Inner(0.25)), ("p", "q"))


def test_all_problems_at_once_each_with_its_line() -> None:
    text = 'kind = "c"\n\n[inner]\nshare = 2.0\n[[many]]\nshare = 0.1\n[[many]]\nshaer = 0.1\n'
    assert sorted(problems(text)) == [
        "f.toml: name: missing key",
        "f.toml:1: kind: 'c' must be one of 'a', 'b'",
        "f.toml:4: inner.share: 2.0 is out of range; allowed are values from 0 to 1",
        "f.toml:8: many.1.shaer: unknown key; did you mean 'share'?",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name = 1", "f.toml:1: name: 1 must be a string"),
        ('name = "x"\ninner = 3', "f.toml:2: inner: 3 must be a table"),
        ('name = "x"\nwords = "p"', "f.toml:2: words: 'p' must be an array"),
        ('name = "x"\n[inner]\nshare = true', "f.toml:3: inner.share: True must be a number"),
        (
            'name = "x"\n[inner]\nshare = nan',
            "f.toml:3: inner.share: nan is out of range; allowed are values from 0 to 1",
        ),
        ("name =", "f.toml: no valid TOML: Invalid value (at end of document)"),
    ],
)
def test_each_kind_of_problem(text: str, problem: str) -> None:
    assert problems(text) == [problem]


def test_settings_that_do_not_fit_each_other() -> None:
    with pytest.raises(
        ConfigError, match=r"digitd\.toml:1: segmenter: post_roll_ms = 300 is longer than hangover_ms = 200"
    ):
        parse(DaemonConfig, "[segmenter]\npost_roll_ms = 300", "digitd.toml")


@given(st.builds(SegmenterConfig, hangover_ms=st.integers(1000, 2000), level_range_db=st.floats(10, 90)))
def test_what_is_written_reads_back(config: SegmenterConfig) -> None:
    assert parse(SegmenterConfig, tomli_w.dumps(as_table(config)), "f.toml") == config


@given(st.text())
def test_any_text_is_settings_or_a_config_error(text: str) -> None:
    with suppress(ConfigError):
        parse(DaemonConfig, text, "f.toml")


def test_flags_go_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "digitd.toml"
    file.write_text('[source]\nspec = "a.wav"\npace = "realtime"\n')
    config = compose(file, {"source": {"spec": "b.wav"}})
    assert (config.source.spec, config.source.pace) == ("b.wav", "realtime")


def test_a_wrong_flag_is_told_as_such() -> None:
    with pytest.raises(ConfigError, match=r"command line: source\.rate_hz: 0 is out of range"):
        compose(None, {"source": {"rate_hz": 0}})


def test_the_shipped_file_holds_every_key_at_its_default() -> None:
    shipped = ROOT / "systemd/digitd.toml"
    assert read(DaemonConfig, shipped) == DaemonConfig()
    text = shipped.read_text()
    for table, keys in effective(DaemonConfig()).items():
        assert table in text
        for key, value in keys.items() if isinstance(keys, dict) else ():
            assert (f"\n[{table}.{key}]\n" if isinstance(value, dict) else f"\n{key} = ") in text
            for inner in value if isinstance(value, dict) else ():
                assert f"\n{inner} = " in text
