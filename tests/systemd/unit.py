"""A unit file, as far as its tests ask."""

from pathlib import Path


class Unit:
    """The settings of a unit file, in order."""

    def __init__(self, path: Path) -> None:
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith(("#", "["))]
        self.settings = [(key, value) for key, _, value in (line.partition("=") for line in lines)]

    def every(self, key: str) -> list[str]:
        """All values of a key."""
        return [value for known, value in self.settings if known == key]

    def only(self, key: str) -> str:
        """The value of a key that stands once."""
        (value,) = self.every(key)
        return value
