"""The man page and the completions are those of the command line, and shells take them."""

import runpy
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import digitd
from digitd.__main__ import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"


def test_what_is_committed_is_what_the_command_line_gives() -> None:
    generated: Iterator[tuple[Path, str]] = runpy.run_path(str(DOCS / "generate.py"))["generated"]()
    stale = [path.name for path, text in generated if path.read_text(encoding="utf-8") != text]
    assert not stale, "run `python docs/generate.py`"


def test_the_man_page_tells_of_every_command_and_the_version() -> None:
    page = (DOCS / "man" / "digitd.1").read_text(encoding="utf-8")
    assert f"digitd {digitd.__version__}" in page.splitlines()[0]
    assert all(f"digitd {name}" in page.replace("\\-", "-") for name in COMMANDS)


def completed(words: list[str], folder: Path) -> list[str]:
    """What bash offers after these words."""
    script = f"""
        source {DOCS / "completions" / "digitd"}
        COMP_WORDS=({" ".join(repr(word) for word in words)})
        COMP_CWORD={len(words) - 1}
        COMP_LINE="${{COMP_WORDS[*]}}" COMP_POINT=${{#COMP_LINE}}
        $(complete -p digitd | sed 's/.*-F \\([^ ]*\\).*/\\1/') digitd {words[-1]!r} {words[-2]!r}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, cwd=folder, timeout=20)
    assert not done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["digitd", "trans"], {"transcribe"}),
        (["digitd", "run", "--mo"], {"--model", "--mode"}),
        (["digitd", "run", "--mode", "e"], {"entry"}),
        (["digitd", "run", "--model", "conn"], {"connected"}),
        (["digitd", "train", ""], {"a.toml"}),
    ],
)
def test_bash_completes_commands_flags_values_and_files(words: list[str], offered: set[str], tmp_path: Path) -> None:
    (tmp_path / "a.toml").touch()
    assert set(completed(words, tmp_path)) >= offered
