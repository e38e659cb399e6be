"""Schema 1, as other programs rely on it."""

import json
from datetime import UTC, datetime

from digitd.daemon.events import Alternative, Body, Digit, End, Ready, Rejected, SourceState, Stamp, String

NOW = datetime(2026, 11, 22, 19, 0, 1, 740_000, UTC)


def test_the_line_of_a_digit() -> None:
    event = Stamp("mic", lambda: NOW).event(Digit("7", 0.98, 1.2, 1.61, 1.74))
    assert event.to_json() == (
        '{"v":1,"type":"digit","seq":0,"stream":"mic","digit":"7","confidence":0.98,"start_s":1.2,"end_s":1.61,'
        '"emitted_s":1.74,"time":"2026-11-22T19:00:01.740Z"}'
    )


def test_every_type_has_its_fields_and_seq_has_no_holes() -> None:
    stamp = Stamp("mic", lambda: NOW)
    bodies: list[Body] = [
        Ready("study64", "cpu", "mic", "always"),
        Digit("7", 0.98, 1.2, 1.6, 1.7),
        Rejected("7", 0.2, 2.0, 2.1, 2.3),
        String(
            "77",
            0.9,
            1.2,
            3.0,
            3.7,
            "71",
            legal=True,
            far=False,
            n_best=(Alternative("77", 0.9), Alternative("71", 0.05)),
        ),
        SourceState("overrun", 0.5, 4.0),
        End(9.0),
    ]
    lines = [json.loads(stamp.event(body).to_json()) for body in bodies]
    assert [line["seq"] for line in lines] == list(range(6))
    assert [line["type"] for line in lines] == ["ready", "digit", "rejected", "string", "source", "end"]
    for line in lines:
        assert (line["v"], line["stream"], line["time"]) == (1, "mic", "2026-11-22T19:00:01.740Z")
    assert {"model", "provider", "source"} < lines[0].keys()
    assert {"guess", "confidence"} < lines[2].keys()
    assert {"digits", "confidence", "heard", "legal", "far"} < lines[3].keys()
    assert lines[3]["n_best"] == [{"digits": "77", "confidence": 0.9}, {"digits": "71", "confidence": 0.05}]
    assert lines[4]["dropped_s"] == 0.5
