"""Whether two streams' events are the same, however the streams came."""

from dataclasses import is_dataclass

TOLERANCE = 1e-5
"""How much the network is asked at a time changes the seventh place of what it answers."""


def alike(one: object, other: object) -> bool:
    """Whether they are equal but for the last places of a float."""
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) < TOLERANCE
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if is_dataclass(one) and is_dataclass(other):
        return type(one) is type(other) and alike(list(vars(one).values()), list(vars(other).values()))
    return one == other
