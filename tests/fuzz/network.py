"""A bundle's model.onnx, where the manifest vouches for it: bytes of the released one are replaced."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from tests.fuzz.target import Target

from digitd.daemon import bundle
from digitd.daemon.errors import BundleError
from digitd.daemon.listener import open_network
from digitd.models import DEFAULT_MODEL

WHOLE = bundle.load(DEFAULT_MODEL)
GRAPH = WHOLE.graph_path.read_bytes()
DAMAGED = replace(WHOLE, folder=Path(tempfile.mkdtemp(prefix="digitd-fuzz-")))
EDIT_BYTES = 4
"""Three tell where, one what stands there."""


def run(data: bytes) -> None:
    """It is refused, or answers as it did at its release."""
    DAMAGED.graph_path.write_bytes(damaged(data))
    try:
        open_network(DAMAGED, "cpu")
    except BundleError as error:
        told = str(error)
        assert "\n" not in told


def damaged(edits: bytes) -> bytes:
    """The released graph with some bytes replaced; an edit beyond its end cuts it there."""
    graph = bytearray(GRAPH)
    for n in range(0, len(edits) - EDIT_BYTES + 1, EDIT_BYTES):
        at, value = int.from_bytes(edits[n : n + 3]), edits[n + 3]
        if at < len(graph):
            graph[at] = value
        else:
            del graph[at % len(graph) :]
            break
    return bytes(graph)


def seeds() -> Iterator[bytes]:
    """Nothing replaced; its first bytes; bytes all over it; cut in the middle."""
    yield b""
    yield b"".join(bytes([0, 0, n, 255]) for n in range(4))
    for begin in range(0, len(GRAPH), len(GRAPH) // 64):
        yield begin.to_bytes(3) + b"\xff"
    yield (len(GRAPH) + len(GRAPH) // 2).to_bytes(3) + b"\0"


TARGET = Target(run=run, seeds=seeds, longest_bytes=32, most_rss_mb=700)
