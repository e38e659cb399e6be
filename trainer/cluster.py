"""Which worker of how many this process is, as `TF_CONFIG` says, and whether the others are there.

TensorFlow itself waits without end, and unwakeably, for workers that never come; so they are looked for first.
"""

import json
import os
import socket
import time
from collections.abc import Mapping, Set
from contextlib import suppress
from dataclasses import dataclass

from digitd.daemon.errors import ConfigError, TrainingError

VARIABLE = "TF_CONFIG"
EXAMPLE = '{"cluster": {"worker": ["HOST:PORT", "HOST:PORT"]}, "task": {"type": "worker", "index": 0}}'
PROBE_S = 1.0
PAUSE_S = 0.2
BACKLOG = 128
"""Probes that nobody takes from the queue: those of many workers, of which some are started again."""


@dataclass(frozen=True)
class Cluster:
    """The workers of one training, of which this process is one."""

    workers: tuple[str, ...]
    """HOST:PORT of each; the first is the chief, who keeps the run folder."""
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this process keeps the run folder."""
        return self.index == 0

    def await_workers(self, wait_s: float) -> None:
        """Return once a process answers at the address of each worker.

        Raises:
            TrainingError: not all came within `wait_s`, or this worker's own address cannot be listened on.
        """
        deadline_s = time.monotonic() + wait_s
        missing = set(self.workers) - {self.workers[self.index]}
        with self._listener():  # where TensorFlow's own server is going to be
            while missing := {worker for worker in missing if not _answers(worker)}:
                if time.monotonic() > deadline_s:
                    raise TrainingError(
                        f"no worker answers at {', '.join(sorted(missing))} after {wait_s:g} s; start one there with "
                        f"its own {VARIABLE}, or give it longer with --wait-s"
                    )
                time.sleep(PAUSE_S)

    def _listener(self) -> socket.socket:
        _, port = _host_and_port(self.workers[self.index])
        try:
            return socket.create_server(("", port), backlog=BACKLOG)
        except OSError as error:
            raise TrainingError(
                f"{self.workers[self.index]}, this worker's own address: cannot be listened on ({error.strerror}); "
                f"name a free port in {VARIABLE}"
            ) from error


def from_environment(environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """The cluster that `TF_CONFIG` describes; None where there is none, or this process is all of it.

    Raises:
        ConfigError: it is not as TensorFlow describes it, or has tasks other than workers.
    """
    text = environment.get(VARIABLE, "")
    if not text:
        return None
    try:
        config = json.loads(text)
        jobs, task = config["cluster"], config["task"]
        workers = tuple(worker for job in ("chief", "worker") for worker in jobs.get(job, ()))
        kinds = {*jobs, str(task["type"])}
        index = int(task["index"]) + (len(jobs.get("chief", ())) if task["type"] == "worker" else 0)
        cluster = Cluster(workers, index)
        for worker in workers:
            _host_and_port(worker)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"{VARIABLE} = {text!r}: is not understood ({error!r}); it must look like {EXAMPLE}"
        ) from error
    _check(cluster, kinds)
    return cluster if len(workers) > 1 else None


def _check(cluster: Cluster, kinds: Set[str]) -> None:
    others = sorted(kinds - {"chief", "worker"})
    if others:
        raise ConfigError(f"{VARIABLE}: a training has workers alone, no {others[0]!r}; leave it out")
    if not 0 <= cluster.index < len(cluster.workers):
        raise ConfigError(
            f"{VARIABLE}: task {cluster.index} is not among the {len(cluster.workers)} workers; indices begin at 0"
        )
    if len(set(cluster.workers)) < len(cluster.workers):
        raise ConfigError(f"{VARIABLE}: {', '.join(cluster.workers)}: each worker needs an address of its own")


def _host_and_port(worker: str) -> tuple[str, int]:
    host, _, port = worker.rpartition(":")
    if not 0 < int(port) < 65536:
        raise ValueError(f"{worker}: no port {port}")
    return host.strip("[]").encode("idna").decode(), int(port)


def _answers(worker: str) -> bool:
    with suppress(OSError), socket.create_connection(_host_and_port(worker), PROBE_S):
        return True
    return False
