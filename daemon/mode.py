"""How readily speech is taken for a digit."""

from typing import Literal

Mode = Literal["always", "entry"]
"""Operating points: `always` (an open microphone, few false digits), `entry` (digits are expected, few misses)."""
