"""Each fuzz target: what its long runs begin with, and some thousand inputs more by a fixed seed."""

import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fuzz.target import NAMES, ROOT, Target

MORE = {"request": 5000, "config": 3000, "manifest": 2000, "golden": 5000, "network": 40, "recording": 3000, "pcm": 20}


def target(name: str) -> Target:
    found: Target = importlib.import_module(f"tests.fuzz.{name}").TARGET
    return found


@pytest.mark.parametrize("name", NAMES)
def test_what_long_runs_begin_with_breaks_nothing(name: str) -> None:
    for data in target(name).corpus():
        target(name).run(data)


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="needs atheris: pip install 'digitd[dev]'")
@pytest.mark.parametrize("name", NAMES)
def test_some_thousand_inputs_more_break_nothing(name: str, tmp_path: Path) -> None:
    runs = len(target(name).corpus()) + MORE[name]
    command = [sys.executable, "-m", "tests.fuzz", name, "--runs", str(runs), "--folder", str(tmp_path), "-seed=1"]
    command += ["-rss_limit_mb=0"]  # it counts the most that its parent ever held; growth is for long runs
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=600)
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert int(re.findall(r"Done (\d+) runs", ran.stderr)[0]) >= runs
