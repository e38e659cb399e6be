"""All parts of a run, as a table in the terminal, a page, and figures for programs; each file whole or not at all."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from digitd.export.bench import goals, part
from digitd.export.bench.machine import Surroundings
from digitd.export.bench.part import Part
from digitd.trainer.run_folder import write_whole

SCHEMA = 1


def whole(
    parts: Mapping[str, Part], machine: Mapping[str, Any], surroundings: Surroundings, command: str, origin: str
) -> dict[str, Any]:
    """What bench.json holds."""
    return {
        "v": SCHEMA,
        "command": command,
        "machine": dict(machine),
        "surroundings": asdict(surroundings) | {"quiet": surroundings.quiet},
        "sound": origin,
        "parts": {name: each.figures for name, each in parts.items()},
    }


def text(parts: Mapping[str, Part], table: Mapping[str, Any]) -> str:
    """For the terminal."""
    sections = [_head(table), *map(part.text, parts.values())]
    if goals.table(dict(table["parts"])).rows:
        sections.append(part.text(goals.table(dict(table["parts"]))))
    return "\n\n".join(sections)


def _head(table: Mapping[str, Any]) -> str:
    machine, surroundings = table["machine"], table["surroundings"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['kernel']}, {machine['date']}",
        f"Python {machine['python']}, {versions}",
        f"Sound: {table['sound']}.",
    ]
    return "\n".join(lines if surroundings["quiet"] else [*lines, noisy(surroundings)])


def noisy(surroundings: Mapping[str, Any]) -> str:
    """What must be said of figures that were taken beside other work."""
    return (
        f"NOT A QUIET MACHINE: load average {surroundings['load_before']:.2f} before, and others took "
        f"{surroundings['others_cores']:.2f} cores meanwhile. Take these figures for no more than a trial."
    )


def page(parts: Mapping[str, Part], table: Mapping[str, Any]) -> str:
    """The same for people who read it later, with the picture."""
    reached = goals.table(dict(table["parts"]))
    sections = ["# digitd bench", f"`{table['command']}`", *_head(table).split("\n"), "![the figures](bench.png)"]
    sections += [part.markdown(reached)] if reached.rows else []
    return "\n\n".join([*sections, *map(part.markdown, parts.values())]) + "\n"


def write(folder: Path, parts: Mapping[str, Part], table: Mapping[str, Any]) -> None:
    """bench.json, bench.png and bench.md.

    Raises:
        TrainingError: one cannot be written.
    """
    from digitd.export.bench import picture  # matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    plain = json.dumps(table, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_whole(folder / "bench.json", lambda beside: beside.write_text(plain, encoding="utf-8"))
    figure = picture.drawn(table)
    write_whole(
        folder / "bench.png",
        lambda beside: figure.savefig(beside, dpi=picture.DPI, metadata={"Software": None}),
    )
    write_whole(folder / "bench.md", lambda beside: beside.write_text(page(parts, table), encoding="utf-8"))
