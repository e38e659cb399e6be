"""The report of a study: Markdown, and the same as one self-contained page."""

import base64
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt

from digitd.trainer import findings, plots
from digitd.trainer.evaluation_report import escaped
from digitd.trainer.run_folder import make_folder, write_whole
from digitd.trainer.scores import percent
from digitd.trainer.split import PARTS
from digitd.trainer.study import Picture, Study
from digitd.trainer.sweep import Outcome

PICTURES = "pictures"
NOT_FINISHED = "-"
IMAGE = re.compile(r'src="([^":]+\.png)"')
HEADING = re.compile(r"<h3>([^<]+)</h3>")
MOST_NAMED = 4
"""So many test speakers are named."""


def write(
    study: Study, outcomes: Sequence[Outcome], bodies: Mapping[str, str], folder: Path, options: str = ""
) -> None:
    """Write report.md and report.html.

    Args:
        study: what was asked for.
        outcomes: what came of its jobs.
        bodies: the Markdown of each picture, by name, or the reason why there is none.
        folder: where to.
        options: of the command, beside the study and its rows, with a space before each.

    Raises:
        TrainingError: the folder cannot be written.
    """
    make_folder(folder / PICTURES)
    for name, on_splits in _by_row(outcomes).items():
        histories = {outcome.job.split: outcome.folder.history for outcome in on_splits if outcome.result}
        if histories:
            plots.save(plots.curves(histories), folder / PICTURES / f"curves-{name}.png")
    text = _markdown(study, outcomes, bodies, options)
    write_whole(folder / "report.md", lambda beside: beside.write_text(text, encoding="utf-8"))
    page = _page(study.title, text, folder)
    write_whole(folder / "report.html", lambda beside: beside.write_text(page, encoding="utf-8"))


def _markdown(study: Study, outcomes: Sequence[Outcome], bodies: Mapping[str, str], options: str) -> str:
    command = f"digitd sweep {shlex.quote(str(study.path))}{options}"
    by_row = _by_row(outcomes)
    groups = list(dict.fromkeys(group for outcome in outcomes for group in outcome.job.row.groups))
    found = [finding for on_splits in by_row.values() for finding in findings.of_row(on_splits)]
    found += [finding for group in groups if (finding := findings.of_group(group, outcomes))]
    text: str = _template("study.md.j2").render(
        study=study,
        outcomes=outcomes,
        command=command,
        finished=sum(bool(outcome.result) for outcome in outcomes),
        devices=sorted({f"{o.result['device']}, {o.result['precision']}" for o in outcomes if o.result}),
        random=_splits(outcomes, is_random=True),
        apart=_splits(outcomes, is_random=False),
        parts=_parts(outcomes),
        findings=found,
        groups=[_group(group, outcomes) for group in groups],
        rows=[_row(command, on_splits) for on_splits in by_row.values()],
        pictures=[_picture(command, picture, bodies[picture.name]) for picture in study.pictures],
    )
    return text


def _page(title: str, markdown: str, folder: Path) -> str:
    """HTML with every picture inside it."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    body = HEADING.sub(lambda found: f'<h3 id="{_anchor(found[1])}">{found[1]}</h3>', body)
    body = body.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    body = IMAGE.sub(lambda found: f'src="{_data_uri(folder / unquote(found[1]))}"', body)
    page: str = _template("page.html.j2").render(title=title, body=body)
    return page


def _template(name: str) -> Any:
    environment = Environment(
        loader=PackageLoader("digitd.trainer"),
        autoescape=name.endswith(".html.j2"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["anchor"] = _anchor
    environment.filters["escaped"] = escaped
    return environment.get_template(name)


def _anchor(heading: str) -> str:
    """The anchor that Markdown readers give a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _data_uri(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def _by_row(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    rows: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        rows.setdefault(outcome.job.row.name, []).append(outcome)
    return rows


def _parts(outcomes: Sequence[Outcome]) -> list[dict[str, str]]:
    """How many recordings by how many speakers each part holds; rows that share a split share a line."""
    lines: dict[tuple[str, ...], list[str]] = {}
    for outcome in outcomes:
        if outcome.result:
            sizes = (f"{outcome.result[part]['examples']} ({outcome.result[part]['speakers']})" for part in PARTS)
            speakers = sorted({recording.speaker for recording in outcome.folder.split.test})
            named = ", ".join(speakers[:MOST_NAMED]) if len(speakers) <= MOST_NAMED else _patterns(outcome, speakers)
            lines.setdefault((outcome.job.split, *sizes, named), []).append(outcome.job.row.name)
    return [
        {"rows": _rows(names), **dict(zip(("split", *PARTS, "speakers"), key, strict=True))}
        for key, names in lines.items()
    ]


def _splits(outcomes: Sequence[Outcome], *, is_random: bool) -> list[str]:
    """The names of the splits that are, or are not, random."""
    return list(dict.fromkeys(o.job.split for o in outcomes if (o.job.run.split.kind == "random") == is_random))


def _rows(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} rows ({names[0]} ...)"


def _patterns(outcome: Outcome, speakers: Sequence[str]) -> str:
    patterns = outcome.job.run.split.test_speakers
    return ", ".join(f"`{pattern}`" for pattern in patterns) if patterns else f"{len(speakers)} of them"


def _group(name: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    members = [outcome for outcome in outcomes if name in outcome.job.row.groups]
    splits = list(dict.fromkeys(outcome.job.split for outcome in members))
    return {"name": name, "splits": splits, "rows": [_line(rows, splits) for rows in _by_row(members).values()]}


def _line(on_splits: Sequence[Outcome], splits: Sequence[str]) -> dict[str, Any]:
    by_split = {outcome.job.split: outcome for outcome in on_splits}
    results = [outcome.result for outcome in on_splits if outcome.result]
    return {
        "name": on_splits[0].job.row.name,
        "title": on_splits[0].job.row.title,
        "parameters": f"{results[0]['parameters']:,}" if results else NOT_FINISHED,
        "epochs": ", ".join(dict.fromkeys(str(result["epochs"]) for result in results)) or NOT_FINISHED,
        "accuracies": [_cell(by_split.get(split)) for split in splits],
        "time": ", ".join(f"{r['training_s']:.0f} / {r['training_cpu_s']:.0f} s" for r in results) or NOT_FINISHED,
        "memory": f"{max(result['peak_memory_mb'] for result in results):,} MB" if results else NOT_FINISHED,
    }


def _cell(outcome: Outcome | None) -> str:
    if outcome is None or not outcome.result:
        return "failed" if outcome is not None and outcome.error else NOT_FINISHED
    return percent(outcome.result["test"]["accuracy"])


def _row(command: str, on_splits: Sequence[Outcome]) -> dict[str, Any]:
    row = on_splits[0].job.row
    return {
        "name": row.name,
        "title": f"{row.title}." if row.title else "",
        "founder": row.founder,
        "command": f"{command} --rows {row.name}",
        "notes": [_note(outcome) for outcome in on_splits],
        "curves": f"{PICTURES}/curves-{row.name}.png" if any(outcome.result for outcome in on_splits) else "",
    }


def _note(outcome: Outcome) -> str:
    if outcome.error:
        return f"{outcome.job.split}: failed: {outcome.error}"
    if not outcome.result:
        return f"{outcome.job.split}: not run"
    result = outcome.result
    shares = ", ".join(f"{part} {percent(result[part]['accuracy'])}" for part in PARTS)
    unheard = sum(result[part]["unheard"] for part in PARTS)
    lost = f"; in {unheard} recordings no speech was found" if unheard else ""
    return (
        f"{outcome.job.split}: {shares}{lost}; {result['parameters']:,} parameters, {result['epochs']} epochs in "
        f"{result['training_s']:.0f} s ({result['training_cpu_s']:.0f} s of CPU), {_input(result)}; "
        f"{result['peak_memory_mb']:,} MB"
    )


def _input(result: Mapping[str, Any]) -> str:
    if "waited_s" in result:
        return f"beside which it waited {result['waited_s']:.0f} s for scenes"
    return f"beside which the input pipeline, alone, takes {result['input_s']:.1f} s"


def _picture(command: str, picture: Picture, body: str) -> dict[str, str]:
    # a picture's Markdown stands beside its files; the report is one folder above
    shown = re.sub(r"\]\((?=[^)/:]+\.png\))", f"]({PICTURES}/", body)
    asked = f"{command} --rows {picture.name}"
    return {"name": picture.name, "title": picture.title, "of": picture.of, "command": asked, "body": shown}
