"""Training in several processes: the same loss as in one, and no waiting for a worker that does not come."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from digitd.daemon.errors import ConfigError, TrainingError
from digitd.trainer import cluster
from digitd.trainer.cluster import Cluster

Digitd = Callable[..., subprocess.CompletedProcess[Any]]
RUN = """name = "small"
network = "dense"
[features]
n_mels = 16
n_frames = 16
[split]
test_speakers = ["fsdd-slt"]
validation_speakers = ["fsdd-awb"]
[training]
batch_size = 16
"""


def config_of(addresses: Sequence[str], index: int) -> str:
    return json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})


def free_addresses(count: int) -> list[str]:
    sockets = [socket.create_server(("", 0)) for _ in range(count)]
    addresses = [f"localhost:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return addresses


def run_file(folder: Path, corpus: Path, training: str, name: str = "run.toml") -> Path:
    path = folder / name
    path.write_text(f'{RUN}{training}[[corpora]]\nreader = "fsdd"\nfolder = "{corpus}"\n')
    return path


class Started:
    """One `digitd train` for each run file, as the workers of one cluster."""

    def __init__(self, files: Sequence[Path], out: Path, *options: str) -> None:
        self.addresses = free_addresses(len(files))
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "digitd", "train", str(file), "--out", str(out), *options],
                env=os.environ | {"TF_CONFIG": config_of(self.addresses, index)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for index, file in enumerate(files)
        ]

    def ended(self) -> list[tuple[int, str, str]]:
        """Exit status, stdout and stderr of each worker."""
        try:
            outputs = [process.communicate(timeout=120) for process in self.processes]
            return [(process.returncode, *output) for process, output in zip(self.processes, outputs, strict=True)]
        finally:
            for process in self.processes:
                process.kill()


def history(out: Path) -> np.ndarray:
    """float64 [n_epochs, 4]: accuracy, loss, val_accuracy, val_loss."""
    lines = (out / "history.csv").read_text().splitlines()[1:]
    return np.array([[float(value) for value in line.split(",")[1:5]] for line in lines])


@pytest.mark.train
def test_two_workers_train_to_the_loss_of_one_process(digitd: Digitd, tmp_path: Path, spoken_digits: Path) -> None:
    file = run_file(tmp_path, spoken_digits, 'epochs = 4\nkeep = "best"\n')
    alone = digitd("train", file, "--out", tmp_path / "alone")
    assert alone.returncode == 0, alone.stderr
    chief, other = Started([file, file], tmp_path / "together").ended()
    assert (chief[0], other[0]) == (0, 0), chief[2] + other[2]
    np.testing.assert_allclose(history(tmp_path / "together"), history(tmp_path / "alone"), rtol=1e-4)
    results = [json.loads((tmp_path / name / "result.json").read_text()) for name in ("alone", "together")]
    for part in ("train", "validation", "test"):
        assert results[0][part] == results[1][part]
    assert results[1]["device"].startswith("2 workers, each CPU")
    assert "worker 1 is done: the run folder is the chief's" in other[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alone", "run.toml", "together"]


@pytest.mark.train
def test_a_finished_run_needs_no_other_worker(digitd: Digitd, tmp_path: Path, spoken_digits: Path) -> None:
    file, out = run_file(tmp_path, spoken_digits, "epochs = 1\n"), tmp_path / "out"
    assert digitd("train", file, "--out", out).returncode == 0
    for index in (0, 1):
        environment = os.environ | {"TF_CONFIG": config_of(free_addresses(2), index)}
        assert digitd("train", file, "--out", out, "--resume", env=environment).returncode == 0


@pytest.mark.train
def test_a_worker_that_dies_is_told_and_costs_no_finished_epoch(
    digitd: Digitd, tmp_path: Path, spoken_digits: Path
) -> None:
    file, out = run_file(tmp_path, spoken_digits, "epochs = 400\n"), tmp_path / "out"
    started = Started([file, file], out)
    while not list((out / "checkpoints").glob("epoch-0000[3-9].keras")):
        assert started.processes[0].poll() is None, started.ended()
        time.sleep(0.02)
    started.processes[1].send_signal(signal.SIGKILL)
    status, _, complaint = started.ended()[0]
    assert status == 2
    # TensorFlow names the worker, or, where its socket closes first, the connection
    told = r"^digitd: error: another worker is gone .*(task:1|Connection reset).*again with --resume$"
    assert re.search(told, complaint, re.MULTILINE)
    done = len(history(out))
    shorter = run_file(tmp_path, spoken_digits, f"epochs = {done + 2}\n", "shorter.toml")
    (out / "run.toml").write_text((out / "run.toml").read_text().replace("epochs = 400", f"epochs = {done + 2}"))
    for status, printed, complaint in Started([shorter, shorter], out, "--resume").ended():
        assert (status, "Epoch 1/" in printed) == (0, False), complaint
    assert digitd("train", shorter, "--out", tmp_path / "alone").returncode == 0
    np.testing.assert_allclose(history(out), history(tmp_path / "alone"), rtol=1e-3)


@pytest.mark.train
def test_workers_that_do_not_agree_train_nothing(tmp_path: Path, spoken_digits: Path) -> None:
    file = run_file(tmp_path, spoken_digits, "epochs = 1\n")
    other = run_file(tmp_path, spoken_digits, "epochs = 1\nlearning_rate = 0.1\n", "other.toml")
    for status, _, complaint in Started([file, other], tmp_path / "out").ended():
        assert (status, "the workers have different run files, recordings" in complaint) == (2, True), complaint
    assert not (tmp_path / "out").exists()


@pytest.mark.train
def test_a_batch_that_cannot_be_shared_is_told(tmp_path: Path, spoken_digits: Path) -> None:
    file = run_file(tmp_path, spoken_digits, "epochs = 1\n")
    file.write_text(file.read_text().replace("batch_size = 16", "batch_size = 15"))
    for status, _, complaint in Started([file, file], tmp_path / "out").ended():
        assert (status, "batch_size = 15 cannot be shared by 2 replicas" in complaint) == (2, True), complaint


@pytest.mark.parametrize("index", [0, 1])
def test_a_missing_worker_is_named_and_leaves_nothing(
    digitd: Digitd, tmp_path: Path, spoken_digits: Path, index: int
) -> None:
    addresses = free_addresses(2)
    done = digitd(
        *("train", run_file(tmp_path, spoken_digits, ""), "--out", tmp_path / "out", "--wait-s", "0.5"),
        env=os.environ | {"TF_CONFIG": config_of(addresses, index)},
    )
    assert done.returncode == 2
    assert re.search(rf"no worker answers at {addresses[1 - index]} after 0.5 s; start one", done.stderr)
    assert not (tmp_path / "out").exists()


@pytest.mark.train
def test_two_replicas_on_one_machine_train_to_the_loss_of_one(
    digitd: Digitd, tmp_path: Path, spoken_digits: Path
) -> None:
    file = run_file(tmp_path, spoken_digits, "epochs = 2\n")
    assert digitd("train", file, "--out", tmp_path / "one").returncode == 0
    program = f"""
import tensorflow as tf
from pathlib import Path
from digitd.trainer import fit
from digitd.trainer.devices import Devices
from digitd.trainer.feature_cache import FeatureCache
from digitd.trainer.run_folder import RunFolder
from digitd.trainer.runfile import read_run, recordings
from digitd.trainer.split import split
cpu, logical = tf.config.list_physical_devices("CPU")[0], tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(cpu, [logical, logical])
run = read_run(Path({str(file)!r}))
parts = split(recordings(run, Path()), run.split)
folder = RunFolder.create(Path({str(tmp_path / "two")!r}), run, parts)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
fit.train(run, parts, folder, FeatureCache(Path({str(tmp_path / "cache")!r})), Devices(strategy, "float32", "two"))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(history(tmp_path / "two"), history(tmp_path / "one"), rtol=1e-4)


def test_a_sweep_is_of_one_machine(digitd: Digitd, tmp_path: Path) -> None:
    done = digitd("sweep", tmp_path / "s.toml", env=os.environ | {"TF_CONFIG": config_of(["a:1", "b:1"], 0)})
    assert (done.returncode, "TF_CONFIG is set: a sweep trains on this machine alone" in done.stderr) == (2, True)


def test_the_environment_describes_a_cluster() -> None:
    assert cluster.from_environment({}) is None
    assert cluster.from_environment({"TF_CONFIG": config_of(["a:1"], 0)}) is None  # alone
    assert cluster.from_environment({"TF_CONFIG": config_of(["a:1", "b:2"], 1)}) == Cluster(("a:1", "b:2"), 1)
    jobs = {"chief": ["a:1"], "worker": ["b:2", "c:3"]}
    text = json.dumps({"cluster": jobs, "task": {"type": "worker", "index": 1}})
    assert cluster.from_environment({"TF_CONFIG": text}) == Cluster(("a:1", "b:2", "c:3"), 2)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not understood .* it must look like"),
        ("[]", "is not understood"),
        ("{}", "is not understood"),
        (config_of(["a", "b"], 0), "is not understood"),
        (config_of(["a:1", "b:1"], 2), "task 2 is not among the 2 workers; indices begin at 0"),
        (config_of(["a:1", "b:1"], -1), "task -1 is not among the 2 workers"),
        (config_of(["a:1", "b:99999"], 0), "is not understood .*no port 99999"),
        (config_of(["a:1", "a..b:1"], 0), "is not understood"),
        (config_of(["a:1", "b:1"], 0).replace('"type": "worker"', '"type": []'), "leave it out"),
        ("[" * 100_000, "is not understood"),
        (config_of(["a:1", "a:1"], 0), "each worker needs an address of its own"),
        (config_of(["a:1", "b:1"], 0).replace('"worker", "index"', '"ps", "index"'), "no 'ps'; leave it out"),
    ],
)
def test_a_cluster_that_is_none_is_told(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=f"TF_CONFIG.*{problem}"):
        cluster.from_environment({"TF_CONFIG": text})


def test_an_address_in_use_is_told() -> None:
    with socket.create_server(("", 0)) as taken:
        mine = f"localhost:{taken.getsockname()[1]}"
        with pytest.raises(TrainingError, match=f"{mine}, this worker's own address: cannot be listened on"):
            Cluster((mine, "localhost:1"), 0).await_workers(0.1)
