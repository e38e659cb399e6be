"""Study files: rows over a base, all problems at once, nearest names."""

from pathlib import Path

import pytest
from tests.conftest import ROOT

from digitd.daemon.errors import ConfigError
from digitd.trainer.study_file import laid_over, read_study

STUDY = """name = "s"
title = "S"
[base.training]
epochs = 3
[[base.corpora]]
reader = "fsdd"
folder = "x"
[[splits]]
name = "random"
kind = "random"
[[splits]]
name = "strangers"
[[rows]]
name = "a"
groups = ["g"]
network = "final64"
training = { batch_size = 32 }
[[rows]]
name = "b"
groups = ["g"]
network = "dense"
[[rows.splits]]
name = "random"
kind = "random"
[[pictures]]
name = "p"
kind = "layers"
of = "a-strangers"
file = "x.wav"
"""


def written(tmp_path: Path, text: str, name: str = "s.toml") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_each_row_is_laid_over_the_base_on_each_split(tmp_path: Path) -> None:
    study = read_study(written(tmp_path, STUDY))
    assert [job.name for job in study.jobs] == ["a-random", "a-strangers", "b-random"]
    training = study.jobs[0].run.training
    assert (training.epochs, training.batch_size) == (3, 32)
    assert [job.run.split.kind for job in study.jobs] == ["random", "speakers", "random"]
    assert study.names == ["a", "b", "a-random", "a-strangers", "b-random", "p"]


def test_a_study_may_extend_another(tmp_path: Path) -> None:
    written(tmp_path, STUDY)
    own = 'name = "t"\nextends = "s.toml"\nleave_out = ["b"]\n[base.training]\nepochs = 9\n'
    study = read_study(written(tmp_path, own, "t.toml"))
    assert [job.name for job in study.jobs] == ["a-random", "a-strangers"]
    assert (study.title, study.jobs[0].run.training.epochs, study.jobs[0].run.training.batch_size) == ("S", 9, 32)
    own = 'name = "u"\nextends = "t.toml"\npictures = []\n'
    assert [job.name for job in read_study(written(tmp_path, own, "u.toml")).jobs] == ["a-random", "a-strangers"]


def test_laid_over_replaces_values_and_arrays_but_merges_tables() -> None:
    base = {"a": 1, "t": {"x": 1, "y": 2}, "l": [1, 2]}
    assert laid_over(base, {"t": {"y": 3}, "l": [4]}) == {"a": 1, "t": {"x": 1, "y": 3}, "l": [4]}
    assert base["t"] == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    ("found", "replacement", "problem"),
    [
        ('"final64"', '"finale64"', r"s.toml:13: rows.0: no network 'finale64'; did you mean 'final64'\?"),
        ("batch_size", "batchsize", r"s.toml:17: rows.0.training.batchsize: unknown key; did you mean 'batch_size'\?"),
        ("{ batch_size = 32 }", '{ optimiser = "adem" }', r"rows.0.training.optimiser: .*; did you mean 'adam'\?"),
        ('"a-strangers"', '"a-stranger"', r"pictures: p: no row 'a-stranger'; did you mean 'a-strangers'\?"),
        ('"layers"', '"layer"', r"s.toml:27: pictures.0.kind: 'layer' must be one of .*; did you mean 'layers'\?"),
        ('name = "b"', 'name = "a"', "'a' stands 2 times"),
        ('groups = ["g"]\nnetwork = "dense"', 'network = "dense"', "rows.1.groups: missing key"),
        ("[base.training]", "[bass.training]", r"bass: unknown key; did you mean 'base'\?"),
        ('title = "S"', "", "title: missing key"),
        ("[[splits]]", "[splits]", "no valid TOML"),
        ('title = "S"', "title = 3", r"s.toml:2: title: 3 must be a string"),
        ('name = "s"', 'name = "../s"', r"s.toml: name = '../s' must be letters"),
        ('name = "p"', 'name = ""', r"pictures.0: name = '' must be letters"),
        ('file = "x.wav"', "", "p: a picture of kind 'layers' needs a file; name a recording"),
        ('name = "strangers"', 'kind = "speakers"', r"s.toml:11: splits.1.name: missing key"),
        ('name = "strangers"', "name = 1", r"splits.1.name: 1 must be a string"),
        ('name = "strangers"', 'name = "a/b"', r"splits.1: name = 'a/b' must be letters"),
        ("epochs = 3", "epochs = 0", r"s.toml:4: base.training.epochs: 0 is out of range"),
        ("[base.training]", "[base]\nname = 'x'\n[base.training]", r"base.name: each row and split has its own"),
        (
            'network = "dense"',
            'network = "dense"\nsplit = {kind = "random"}',
            r"rows.1.split: .* did you mean 'splits'\?",
        ),
        ('[[rows.splits]]\nname = "random"\nkind = "random"', "splits = []", "splits of row 'b' must be an array of t"),
        ('title = "S"', 'title = "S"\nleave_out = 3', r"leave_out: 3 must be an array"),
        ('title = "S"', 'title = "S"\nleave_out = ["c"]', r"leave_out: no row 'c'"),
        ('title = "S"', 'title = "S"\nabout = 3', r"about: 3 must be a string"),
        ('title = "S"', 'title = "S"\nextends = "s.toml"', r"s.toml: extends: leads back to itself"),
        ('title = "S"', 'title = "S"\nextends = "none.toml"', r"none.toml: cannot be read"),
        ('title = "S"', 'title = "S"\nextends = "a\\u0000b"', r"cannot be read"),
        ('name = "p"', 'name = "a-random"', r"'a-random' stands 2 times"),
        ("[[pictures]]", "[pictures]", r"pictures must be an array of tables: \[\[pictures\]\]"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, found: str, replacement: str, problem: str) -> None:
    assert found in STUDY
    with pytest.raises(ConfigError, match=problem):
        read_study(written(tmp_path, STUDY.replace(found, replacement, 1)))


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = STUDY.replace("final64", "final46").replace('"dense"', '"dence"')
    with pytest.raises(ConfigError) as caught:
        read_study(written(tmp_path, text))
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("name", ["founding", "audiomnist"])
def test_the_committed_studies_are_whole(name: str) -> None:
    study = read_study(ROOT / f"trainer/studies/{name}.toml")
    rows = {job.row.name: job.run for job in study.jobs}
    assert {run.network for run in rows.values()} == {"dense", "conv1", "conv2", "conv3", "final64"}
    assert {run.training.batch_size for run in rows.values() if run.network == "conv2"} == {32, 64, 150}
    optimisers = {(run.training.optimiser, run.training.learning_rate) for run in rows.values()}
    assert optimisers == {("adam", 0.001), ("sgd", 0.01), ("sgd", 0.001), ("sgd", 0.002)}
    activations = [vars(run.activations) for run in rows.values()]
    assert {"convolution": "sigmoid", "dense": "relu", "output": "softmax"} in activations
    assert {"convolution": "relu", "dense": "sigmoid", "output": "softmax"} in activations
    assert {"convolution": "relu", "dense": "tanh", "output": "softmax"} in activations
    assert {"convolution": "relu", "dense": "relu", "output": "sigmoid"} in activations
    assert {picture.kind for picture in study.pictures} >= {"gallery", "evaluation", "layers"}
