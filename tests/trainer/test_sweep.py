"""`digitd sweep`: rows that are never trained twice, whatever happens, and a report that tells what they show."""

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.trainer.conftest import STUDY

pytestmark = pytest.mark.train
Digitd = Callable[..., subprocess.CompletedProcess[Any]]


def results(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_results_stand_in_one_table(swept: Path) -> None:
    rows = results(swept / "out")
    assert [(row["row"], row["split"], row["status"]) for row in rows] == [
        ("adam", "random", "finished"),
        ("adam", "strangers", "finished"),
        ("slow", "random", "finished"),
        ("slow", "strangers", "finished"),
    ]
    for row in rows:
        result = json.loads((swept / f"out/{row['row']}-{row['split']}/result.json").read_text())
        assert float(row["test_accuracy"]) == result["test"]["accuracy"]["share"]
        assert float(row["test_low"]) <= float(row["test_accuracy"]) <= float(row["test_high"])
        assert (int(row["parameters"]), int(row["epochs"])) == (result["parameters"], 2)
        assert int(row["peak_memory_mb"]) > 100


def test_the_report_holds_what_is_in_the_table_and_says_what_does_not_hold(swept: Path) -> None:
    report = (swept / "out/report.md").read_text()
    assert report.startswith("# A small study\n\nTwenty recordings of each of four voices.\n\nMade by `digitd sweep")
    for row in results(swept / "out"):
        assert f"{100 * float(row['test_accuracy']):.1f} %" in report
    assert "digitd sweep study.toml --out out --rows adam\n" in report
    assert re.search(r"strangers: \*\*does not hold\*\*: .* against 99.2 %", report)
    assert re.search(r"slow: overfitting does not happen", report)
    assert re.search(r"optimisers: which is best", report)
    for picture in re.findall(r"\]\(([^#)]+)\)", report):
        assert (swept / "out" / picture).is_file(), picture
    assert {"gallery.png", "matrix-confusion.png", "matrix-det.png", "layers.png", "own.png", "curves-adam.png"} <= {
        path.name for path in (swept / "out/pictures").glob("*.png")
    }


def test_the_page_needs_no_other_file(swept: Path) -> None:
    page = (swept / "out/report.html").read_text()
    sources = re.findall(r'src="([^"]{0,40})', page)
    assert len(sources) == len(re.findall(r"!\[", (swept / "out/report.md").read_text())) > 6
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not re.findall(r'(?:href|src)="(?!data:|#)', page)
    for anchor in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{anchor}"' in page


def test_a_finished_study_trains_nothing_again(digitd: Digitd, swept: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (swept / "out").glob("*/result.json")}
    done = digitd("sweep", "study.toml", "--out", "out", "--rows", "slow", cwd=swept)
    assert done.returncode == 0, done.stderr
    assert before == {path: path.stat().st_mtime_ns for path in (swept / "out").glob("*/result.json")}
    listed = digitd("sweep", "study.toml", "--out", "out", "--list", cwd=swept)
    again = digitd("sweep", "study.toml", "--out", "out", "--report", "elsewhere", cwd=swept)
    assert again.returncode == 0, again.stderr
    for name in ("results.csv", "pictures/matrix-confusion.png"):
        assert (swept / "elsewhere" / name).read_bytes() == (swept / "out" / name).read_bytes()
    assert "digitd sweep study.toml --out out --report elsewhere\n" in (
        swept / "elsewhere/report.md"
    ).read_text().replace("`", "\n")
    assert listed.stdout.count("finished") == 4


def other_study(swept: Path, tmp_path: Path, text: str) -> tuple[Path, Path]:
    """Another study file beside the first one, and a copy of what the first one made."""
    path, out = swept / f"{tmp_path.name}.toml", tmp_path / "out"
    path.write_text(text)
    shutil.copytree(swept / "out", out)
    return path, out


def test_a_row_that_fails_costs_no_other(digitd: Digitd, swept: Path, tmp_path: Path) -> None:
    broken = '[[rows]]\nname = "broken"\ngroups = ["optimisers"]\nnetwork = "final64"\n'
    gone = '[[rows.corpora]]\nreader = "fsdd"\nfolder = "gone"\n'
    path, out = other_study(swept, tmp_path, STUDY + broken + gone)
    (out / "pictures").rename(tmp_path / "pictures")  # a report folder of its own
    done = digitd("sweep", path, "--out", out, "--rows", "broken-random", "slow")
    assert done.returncode == 2
    assert re.search(r"error: failed: broken-random; what is finished is kept", done.stderr)
    assert re.search(r"^broken-random: .*gone: no such folder", done.stderr, re.MULTILINE)
    rows = {f"{row['row']}-{row['split']}": row for row in results(out)}
    assert rows["broken-random"]["status"] == "failed"
    assert re.search(r"gone: no such folder", rows["broken-random"]["error"])
    assert rows["broken-strangers"]["status"] == "not run"
    assert sum(row["status"] == "finished" for row in rows.values()) == 4
    assert re.search(r"random: failed: .*gone: no such folder", (out / "report.md").read_text())
    again = digitd("sweep", path, "--out", out, "--rows", "adam")
    assert again.returncode == 0
    rows = {f"{row['row']}-{row['split']}": row for row in results(out)}
    assert rows["broken-random"]["status"] == "failed"  # it is not forgotten


def test_a_row_that_was_changed_is_neither_believed_nor_lost(digitd: Digitd, swept: Path, tmp_path: Path) -> None:
    path, out = other_study(swept, tmp_path, STUDY.replace("1e-6", "1e-5"))
    done = digitd("sweep", path, "--out", out)
    assert done.returncode == 2
    assert re.search(r"failed: slow-random, slow-strangers;", done.stderr)
    row = next(row for row in results(out) if row["row"] == "slow")
    assert re.search(r"another configuration; .*; remove .*slow-random to train it anew", row["error"])
    assert (row["status"], row["test_accuracy"]) == ("failed", "")
    assert (out / "slow-random/model.keras").is_file()
    other = digitd("sweep", path, "--out", out, "--rows", "adam")
    assert other.returncode == 0, other.stderr  # what was asked for is finished
    assert [row["status"] for row in results(out)] == ["finished", "finished", "failed", "failed"]
    assert "which is best" not in (out / "report.md").read_text()


def test_recordings_that_are_not_here_cost_no_finished_row(digitd: Digitd, swept: Path, tmp_path: Path) -> None:
    shutil.copytree(swept, tmp_path / "study")
    (tmp_path / "study/corpus").rename(tmp_path / "study/moved")
    done = digitd("sweep", "study.toml", "--out", "out", "--rows", "adam", "slow", cwd=tmp_path / "study")
    assert done.returncode == 0, done.stderr
    assert [row["status"] for row in results(tmp_path / "study/out")] == ["finished"] * 4
    shutil.copy(swept / "corpus/recordings/0_slt_0.wav", swept / "corpus/recordings/0_slt_7.wav")
    try:
        done = digitd("sweep", swept / "study.toml", "--out", tmp_path / "study/out", "--rows", "adam")
    finally:
        (swept / "corpus/recordings/0_slt_7.wav").unlink()
    assert (done.returncode, "was started with" in results(tmp_path / "study/out")[0]["error"]) == (2, True)


def test_a_damaged_result_costs_no_other_row(digitd: Digitd, swept: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(swept / "out", out)
    (out / "slow-random/result.json").write_text("{}")
    done = digitd("sweep", swept / "study.toml", "--out", out, "--rows", "adam")
    assert done.returncode == 0, done.stderr
    assert [row["status"] for row in results(out)] == ["finished", "finished", "failed", "finished"]
    assert re.search(r"result.json: missing or damaged .*; remove", results(out)[2]["error"])


def test_a_picture_of_a_run_that_was_trained_anew_is_drawn_anew(digitd: Digitd, swept: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(swept / "out", out)
    drawn = (out / "pictures/matrix.md").stat().st_mtime_ns
    (out / "adam-random/result.json").touch()
    assert digitd("sweep", swept / "study.toml", "--out", out, "--rows", "slow").returncode == 0
    assert (out / "pictures/matrix.md").stat().st_mtime_ns > drawn
    assert (out / "pictures/own.md").stat().st_mtime_ns == (swept / "out/pictures/own.md").stat().st_mtime_ns


def test_two_sweeps_do_not_share_a_folder(digitd: Digitd, swept: Path, tmp_path: Path) -> None:
    import fcntl

    shutil.copytree(swept, tmp_path / "study")
    with (tmp_path / "study/out/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = digitd("sweep", "study.toml", "--out", "out", cwd=tmp_path / "study")
    assert (done.returncode, "out: another sweep is at work in it" in done.stderr) == (2, True)


def test_an_unknown_row_is_named(digitd: Digitd, swept: Path) -> None:
    done = digitd("sweep", swept / "study.toml", "--rows", "adan")
    assert done.returncode == 2
    assert "has no 'adan'; did you mean 'adam'?" in done.stderr
