"""Shells complete commands, flags, values and files of `digitd`, as a person presses Tab."""

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.docs.shell import COMPLETIONS, Shell

TYPED = [
    ("digitd trans", "transcribe"),
    ("digitd run --sou", "--source"),
    ("digitd run --mode e", "entry"),
    ("digitd run --model conn", "connected"),
    ("digitd run --model stranger-", "stranger-anna"),
    ("digitd run --source ", "mic"),
    ("digitd run --source dem", "demo.flac"),
    ("digitd run --sink stdout:j", "stdout:jsonl"),
    ("digitd run --sink stdout:", "strings"),
    ("digitd run --sink stdout:text --sink un", "unix:"),
    ("digitd run --sink stdout:text --pro", "--provider"),
    ("digitd train ger", "german.toml"),
    ("digitd mode e", "entry"),
    ("digitd type --after e", "enter"),
    ("digitd data fe", "fetch"),
]


def needed(name: str) -> pytest.MarkDecorator:
    """A shell that is not on every machine; `make test` installs it."""
    return pytest.mark.skipif(shutil.which(name) is None, reason=f"{name} is not installed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a recording, a run file, and a bundle of one's own."""
    for name in ("demo.flac", "german.toml"):
        (tmp_path / name).touch()
    bundle = tmp_path / "digitd/models/stranger-anna"
    bundle.mkdir(parents=True)
    (bundle / "manifest.toml").touch()
    return tmp_path


@pytest.mark.parametrize("name", ["bash", pytest.param("zsh", marks=needed("zsh"))])
@pytest.mark.parametrize(("line", "offered"), TYPED)
def test_tab_offers_it(name: str, line: str, offered: str, folder: Path) -> None:
    with Shell(name, folder) as shell:
        shell.tab(line)
        assert shell.shows(offered)


@needed("fish")
@pytest.mark.parametrize(("line", "offered"), TYPED)
def test_fish_offers_it(line: str, offered: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    script = f"source {COMPLETIONS}/digitd.fish; complete -C '{line}'"
    done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True, cwd=folder, timeout=20)
    assert not done.stderr
    words = [offer.partition("\t")[0] for offer in done.stdout.splitlines()]
    assert offered in words or any(word.endswith(offered) for word in words)
