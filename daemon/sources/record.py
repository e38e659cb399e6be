"""What the capture program writes for each piece of sound."""

import struct

RECORD = struct.Struct("<IId")
"""Bytes of s16le samples that follow, frames lost before them, and when the last one came by the monotonic clock."""
