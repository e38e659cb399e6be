"""`make install` puts a program that can be moved; `make uninstall` removes what it put, and nothing else."""

import filecmp
import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from tests.conftest import DEMO, DEMO_DIGITS, ROOT
from tests.systemd.conftest import make

CONFIG = "etc/digitd/digitd.toml"
EDIT = "\n# mine\n"


def launch(destination: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The installed command, with nothing in its environment."""
    command = [destination / "usr/bin/digitd", *arguments]
    return subprocess.run(command, env={}, cwd="/", capture_output=True, text=True, check=False)


def tree(folder: Path) -> list[str]:
    """Everything in a folder, by its path."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_the_installed_program_hears_the_demo_with_an_empty_environment(installed: Path) -> None:
    done = launch(installed, "run", "--source", DEMO, "--sink", "stdout:strings")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{DEMO_DIGITS}\n", "")


def test_it_runs_from_wherever_it_is(copy: Path) -> None:
    moved = copy.rename(copy.parent / "else where")
    link = moved.parent / "digitd"
    link.symlink_to(moved / "usr/bin/digitd")
    done = subprocess.run([link, "models"], env={}, capture_output=True, text=True, check=False)
    assert "(default)" in done.stdout
    assert done.stderr == ""


def test_its_interpreter_finds_the_program_for_what_the_daemon_starts(installed: Path) -> None:
    script = "import json, digitd, numpy, onnxruntime, pyaudio; print(json.dumps([digitd.__file__, numpy.__file__]))"
    environment = {"ORT_DISABLE_TELEMETRY": "1"}
    python = installed / "usr/lib/digitd/bin/python"
    done = subprocess.run([python, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert all(path.startswith(str(installed)) for path in json.loads(done.stdout))


def test_nothing_installed_tells_where_it_was_built(installed: Path) -> None:
    betraying = [
        path
        for path in installed.rglob("*")
        if path.is_file() and re.search(b"%b|%b/" % (os.fsencode(installed), os.fsencode(ROOT)), path.read_bytes())
    ]
    assert betraying == []


def test_everybody_may_read_it_and_root_alone_write(installed: Path) -> None:
    for path in installed.rglob("*"):
        mode = path.lstat().st_mode
        assert mode & 0o444 == 0o444, path
        assert stat.S_ISLNK(mode) or not mode & 0o022, path


def test_the_licence_is_installed(installed: Path) -> None:
    assert filecmp.cmp(installed / "usr/share/doc/digitd/LICENSE", ROOT / "LICENSE", shallow=False)


def test_a_second_install_is_the_same_as_one_and_keeps_an_edited_configuration(installed: Path, copy: Path) -> None:
    with (copy / CONFIG).open("a") as config:
        config.write(EDIT)
    done = make("install", copy)
    assert done.returncode == 0, done.stderr
    assert f"{CONFIG} was edited and stays" in done.stdout
    assert sorted({*tree(copy)} ^ {*tree(installed)}) == [f"{CONFIG}.new"]
    differing = [name for name in tree(installed) if not same(copy / name, installed / name)]
    assert differing == [CONFIG, "usr/lib/digitd/installed"]
    assert (copy / f"{CONFIG}.new").read_text() + EDIT == (copy / CONFIG).read_text()
    assert make("uninstall", copy).returncode == 0
    assert tree(copy) == ["etc", "etc/digitd", CONFIG]


def same(one: Path, other: Path) -> bool:
    """Whether two paths hold the same."""
    return one.is_dir() or filecmp.cmp(one, other, shallow=False)


def test_uninstall_leaves_nothing(copy: Path) -> None:
    done = make("uninstall", copy)
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(copy) == []


def test_uninstall_leaves_what_others_put_there(copy: Path) -> None:
    others = ["etc/digitd/hook", "usr/bin/other", "usr/lib/systemd/system/other.service"]
    for name in others:
        (copy / name).write_text("")
    assert make("uninstall", copy).returncode == 0
    assert [name for name in tree(copy) if (copy / name).is_file()] == others


def test_uninstall_says_where_there_is_nothing(tmp_path: Path) -> None:
    done = make("uninstall", tmp_path)
    assert done.returncode == 2
    assert f"no digitd in {tmp_path}/usr/lib/digitd" in done.stderr


@pytest.mark.parametrize("prefix", ["usr", "/us r", "/usr/%n"])
def test_a_prefix_that_a_unit_cannot_hold_is_refused(tmp_path: Path, prefix: str) -> None:
    done = make("install", tmp_path, PREFIX=prefix)
    assert done.returncode == 2
    assert f"'{prefix}' must be an absolute path" in done.stderr
    assert tree(tmp_path) == []
