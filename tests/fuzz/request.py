"""What a client writes into the socket, in any pieces."""

import itertools
import json
from collections.abc import Iterator

from tests.fuzz.target import Target

from digitd.daemon.errors import ConfigError
from digitd.daemon.request import MAX_LINE_BYTES, Lines, refusal, requested

CUTS = 4
"""Two bytes each, before the text: where it is cut."""
ANSWERED = 4
"""So many lines of each text: another one is another input."""


def run(data: bytes) -> None:
    """Any cut gives the same lines, and each asks for a mode or is refused in one short line."""
    cuts, text = data[: 2 * CUTS], data[2 * CUTS :]
    *ended, rest = text.split(b"\n")
    lines = [line[: MAX_LINE_BYTES + 1] for line in (*ended, *([rest] if rest else []))]
    assert list(cut(text, cuts)) == lines
    for line in lines[:ANSWERED]:
        answer(line)


def cut(text: bytes, cuts: bytes) -> Iterator[bytes]:
    """The lines of a text that comes in pieces."""
    places = sorted(int.from_bytes(cuts[n : n + 2]) % (len(text) + 1) for n in range(0, len(cuts), 2))
    cutter = Lines()
    for begin, end in itertools.pairwise([0, *places, len(text)]):
        yield from cutter.push(text[begin:end])
        assert len(cutter._waiting) <= MAX_LINE_BYTES
    yield from cutter.finish()


def answer(line: bytes) -> None:
    """A request, or a refusal that the client can read."""
    try:
        request = requested(line)
    except ConfigError as error:
        told, message = refusal(error), str(error)
        assert told.count(b"\n") == 1
        assert len(told) < MAX_LINE_BYTES
        assert json.loads(told)["message"] == message
    else:
        assert json.loads(line) == {name: value for name, value in vars(request).items() if value is not None}


def seeds() -> Iterator[bytes]:
    """Requests, right ones and others, one or several at a time."""
    requests = (
        b'{"mode":"entry"}\n',
        b' { "mode" : "always" } \r\n',
        b'{"mode":null,"x":[1e9,"\\u0065"]}\n',
        b"\xff\x00",
    )
    for request in requests:
        yield bytes(2 * CUTS) + request
    yield bytes([0, 5, 0, 20, 0, 21, 0, 40]) + b"".join(requests)
    yield bytes([0, 9, 16, 0, 16, 1, 17, 0]) + b" " * MAX_LINE_BYTES + requests[0] + b"[" * MAX_LINE_BYTES


TARGET = Target(
    run=run,
    seeds=seeds,
    words=(
        '{"mode":',
        '"glimpses":',
        '"entry"',
        '"always"',
        "null",
        "true",
        "1e999",
        "-0",
        "NaN",
        "Infinity",
        '"\\ud800"',
        "[[[[",
        "\n",
    ),
    longest_bytes=3 * MAX_LINE_BYTES,
)
