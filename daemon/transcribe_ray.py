"""Many recordings -> their strings of digits, by a Ray cluster: a process or a machine that is lost is replaced."""

import os
import socket
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

from digitd.daemon import bundle
from digitd.daemon.config import DaemonConfig
from digitd.daemon.errors import ClusterError
from digitd.daemon.listener import open_network
from digitd.daemon.muted import muted
from digitd.daemon.transcribe import Transcriber, Transcript

MOST_TASKS = 5000
"""Into so many the recordings are cut at most; each costs some milliseconds beside its recordings."""
TRIES = 3
"""So many workers may be lost over one recording: for ever, it would take the cluster down."""
KNOCK_S = 5.0
"""So long the head of a cluster may take to be reached."""
STORE_BYTES = 128 * 2**20
"""Of shared memory on this machine; transcripts are small."""
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # it would call its maker
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DATA_LOG_LEVEL": "ERROR",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


class Attempts:
    """Which recordings are under way: one process, which outlives the workers."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()

    def begin(self, place: int) -> int:
        """How many have begun with a recording and did not end, this one too."""
        self._begun[place] += 1
        return self._begun[place]

    def end(self, place: int) -> None:
        """A recording is done."""
        del self._begun[place]


class Worker:
    """One process of the cluster: the network, opened once, and recordings through it."""

    def __init__(self, config: DaemonConfig, attempts: Any) -> None:
        network = open_network(bundle.load(config.model.name), config.model.provider)
        self._transcriber = Transcriber(network, config.model.mode, config.pipeline)
        self._attempts = attempts

    def __call__(self, row: dict[str, Any]) -> dict[str, Transcript]:
        """The transcript of one row."""
        import ray

        name, place = os.fsdecode(row["name"]), row["place"]
        if ray.get(self._attempts.begin.remote(place)) > TRIES:
            problem = f"{name}: {TRIES} workers were lost over it, out of memory perhaps; transcribe it alone"
            found = Transcript(name, 0.0, (), problem)
        else:
            found = self._transcriber.transcript(name)
        self._attempts.end.remote(place)
        return {"transcript": found}


def transcripts(
    names: Sequence[str], config: DaemonConfig, n_workers: int, address: str | None = None
) -> Iterator[Transcript]:
    """Of each recording, in the order given.

    Args:
        names: Of files or URLs, as each machine of the cluster sees them.
        config: The same for all.
        n_workers: How many processes, a core each.
        address: Of the cluster; None begins one on this machine, which ends with the last transcript.

    Raises:
        BundleError: the bundle does not answer as it did when it was released.
        ClusterError: the cluster cannot be reached, or does not do the work.
        ProviderError: CUDA was asked for and is not in use, or no server answers.
    """
    open_network(bundle.load(config.model.name), config.model.provider)  # what is wrong with the model is told here
    os.environ.update(_QUIET | {name: value for name, value in os.environ.items() if name in _QUIET})
    from ray.exceptions import RayError

    with _cluster(n_workers, address):
        try:
            for row in _data(names, config, n_workers).iter_rows():
                yield row["transcript"]
        except RayError as error:
            raise ClusterError(f"Ray gave up: {_first_line(error)}; `ray status` and its logs tell more") from error


def _data(names: Sequence[str], config: DaemonConfig, n_workers: int) -> Any:
    """Ray's data set of the transcripts; nothing runs before somebody reads it."""
    import ray
    from ray import data

    context = data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    items = [{"place": place, "name": os.fsencode(name)} for place, name in enumerate(names)]  # a name may be no UTF-8
    attempts = ray.remote(Attempts).options(num_cpus=0).remote()
    return data.from_items(items, override_num_blocks=min(len(items), MOST_TASKS)).map(
        Worker,
        fn_constructor_args=(config, attempts),
        compute=data.ActorPoolStrategy(size=min(n_workers, len(items))),
        num_cpus=1,
    )


@contextmanager
def _cluster(n_workers: int, address: str | None) -> Iterator[None]:
    """The cluster of that address, or one on this machine."""
    import ray

    own = {"num_cpus": n_workers, "include_dashboard": False, "object_store_memory": STORE_BYTES}
    try:
        if address is not None:
            _knock(address)
        with muted():  # what its core says as it begins; what goes wrong it raises
            ray.init(address or "local", log_to_driver=False, logging_level="error", **({} if address else own))
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        remedy = "name the HOST:PORT that `ray start --head` told" if address else "see the logs in /tmp/ray"
        raise ClusterError(f"no Ray cluster at {address or 'this machine'}: {_first_line(error)}; {remedy}") from error
    with redirect_stdout(sys.stderr):  # there Ray tells of lost workers; standard output is for transcripts
        try:
            yield
        finally:
            ray.shutdown()


def _knock(address: str) -> None:
    """Raises OSError or ValueError where nobody listens: Ray itself would try for ever."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), KNOCK_S).close()


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
