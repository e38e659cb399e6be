"""What readers of the socket may ask, and how anything else is refused."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitd.daemon.errors import ConfigError
from digitd.daemon.request import MAX_LINE_BYTES, Lines, Request, refusal, requested

REMEDY = 'send {"mode":"entry"}, {"mode":"always"} or {"glimpses":true} and a line end'

values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.sampled_from(["always", "entry"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["mode", "glimpses"]), inner),
)
lines = st.binary() | values.map(lambda value: json.dumps(value).encode())


@pytest.mark.parametrize("line", [b'{"mode":"entry"}', b' { "mode" : "entry" } \r', b'{"mode":"\\u0065ntry"}'])
def test_a_mode_is_asked_for(line: bytes) -> None:
    assert requested(line) == Request(mode="entry")
    other = line.replace(b"entry", b"always").replace(b"\\u0065ntry", b"always")
    assert requested(other) == Request(mode="always")


def test_glimpses_are_asked_for_and_with_a_mode_too() -> None:
    assert requested(b'{"glimpses":true}') == Request(glimpses=True)
    assert requested(b'{"glimpses":false,"mode":"entry"}') == Request("entry", glimpses=False)


REFUSED = {
    b'{"mode":"entri"}': "request: mode: 'entri' must be one of 'always', 'entry'; did you mean 'entry'?",
    b'{"mode":null}': "request: mode: None must be one of 'always', 'entry'",
    b'{"mod":"entry"}': "request: mod: unknown key; did you mean 'mode'?",
    b'{"mode":"entry","x":1}': "request: x: unknown key; known are mode, glimpses",
    b"{}": "request: asks for nothing",
    b'{"glimpses":1}': "request: glimpses: 1 must be true or false",
    b'["entry"]': """b'["entry"]' is no JSON object""",
    b"entry": "b'entry' is no JSON object",
    b"": "b'' is no JSON object",
    b'{"mode":"entry"}{': """b'{"mode":"entry"}{' is no JSON object""",
    b"\xff\x00": r"b'\xff\x00' is no JSON object",
    b"[" * MAX_LINE_BYTES: "[[[... is no JSON object",
    b" " * MAX_LINE_BYTES + b'{"mode":"entry"}': f"... is longer than {MAX_LINE_BYTES} bytes",
}


@pytest.mark.parametrize(("line", "problem"), REFUSED.items(), ids=range(len(REFUSED)))
def test_anything_else_is_refused_with_its_value_and_the_remedy(line: bytes, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        requested(line)
    assert problem in str(caught.value)
    assert str(caught.value).endswith(f"; {REMEDY}")
    answer = json.loads(refusal(caught.value))
    assert answer == {"v": 1, "type": "error", "message": str(caught.value)}


@given(line=lines)
def test_any_line_asks_for_a_mode_or_is_refused_in_one_short_line(line: bytes) -> None:
    try:
        request = requested(line)
    except ConfigError as error:
        answer = refusal(error)
        assert (answer.count(b"\n"), answer[-1:]) == (1, b"\n")
        assert len(answer) < MAX_LINE_BYTES
    else:
        asked = {name: value for name, value in vars(request).items() if value is not None}
        assert json.loads(line) == asked


def cut(pieces: list[bytes]) -> list[bytes]:
    cutter = Lines()
    found = []
    for piece in pieces:
        found += cutter.push(piece)
        assert len(cutter._waiting) <= MAX_LINE_BYTES
    return [*found, *cutter.finish()]


texts = st.lists(st.sampled_from([b"\n", b"a", b'{"mode":"entry"}\n', b"b" * 2048, b"c" * 4095])).map(b"".join)


@given(text=texts, cuts=st.lists(st.integers(0, 20000)))
def test_any_chunking_gives_the_same_lines(text: bytes, cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(bounds)]
    *ended, rest = text.split(b"\n")
    assert cut(pieces) == [line[: MAX_LINE_BYTES + 1] for line in (*ended, *([rest] if rest else []))]
