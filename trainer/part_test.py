"""All that metrics.json says of one part of a split: words, noise, silence, and strings where the bundle hears them."""

from collections.abc import Sequence
from typing import Any

from digitd.daemon.spotter import Spotter
from digitd.trainer import field_test, string_test
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.field_test import MODES, Point, Reliability


class PartTest:
    """The streams of a part, composed once.

    Args:
        recordings: of the part.
        labels: what the network tells apart.
        rate_hz: at which it hears.
        noises_seen: those that were trained on.
    """

    def __init__(
        self, recordings: Sequence[Recording], labels: Sequence[str], rate_hz: int, noises_seen: Sequence[Recording]
    ) -> None:
        self._recordings, self._labels, self._rate_hz = recordings, labels, rate_hz
        self._streams = field_test.compose(recordings, labels, rate_hz, noises_seen)

    def curve(self, spotter: Spotter) -> list[Point]:
        """Misses against false digits."""
        return field_test.curve(spotter, self._streams)

    def through_pipeline(self, spotter: Spotter) -> Point:
        """What the threshold of mode `always` gives, with all that the daemon does."""
        return field_test.through_pipeline(spotter, self._streams)

    def reliability(self, spotter: Spotter, threshold: float) -> Reliability:
        """How often digits are right, by their confidence."""
        return field_test.reliability(spotter, self._streams, threshold)

    def measured(self, spotter: Spotter, points: list[Point]) -> dict[str, Any]:
        """At the bundle's operating points."""
        found = field_test.measured(spotter, self._streams, points)
        if spotter.bundle.manifest.kind == "connected":
            strings = string_test.measured(spotter, string_test.compose(self._recordings, self._labels, self._rate_hz))
            for mode in MODES:
                found[mode]["strings"] = strings[mode]
        return found
