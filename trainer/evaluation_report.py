"""An evaluation as Markdown with its pictures and tables, for `digitd evaluate` and for a study's report."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from digitd.trainer import plots
from digitd.trainer.evaluation import Evaluation
from digitd.trainer.run_folder import write_whole
from digitd.trainer.scores import percent

MOST_SPEAKERS = 40
"""So many of the worst are drawn; the table has all."""


def write(evaluation: Evaluation, folder: Path, prefix: str) -> str:
    """Write pictures and CSV tables into a folder, each name beginning with `prefix`; Markdown that shows them.

    Raises:
        TrainingError: the folder cannot be written.
    """
    plots.save(plots.confusion(evaluation), folder / f"{prefix}confusion.png")
    plots.save(plots.speakers(evaluation, MOST_SPEAKERS), folder / f"{prefix}speakers.png")
    plots.save(plots.det([evaluation]), folder / f"{prefix}det.png")
    tables = _tables(evaluation)
    for name, rows in tables.items():
        _write_csv(folder / f"{prefix}{name}.csv", rows)
    unheard = f" In {evaluation.unheard} no speech was found." if evaluation.unheard else ""
    summary = (
        f"{percent(evaluation.accuracy)} of {len(evaluation.truth)} recordings by {len(evaluation.per_speaker)} "
        f"speaker(s) right; equal error rate of a label {100 * evaluation.det.equal_error_rate:.2f} %.{unheard}"
    )
    pictures = [
        f"![{caption}]({prefix}{name}.png)"
        for name, caption in (("confusion", "confusion matrix"), ("speakers", "per speaker"), ("det", "DET curve"))
    ]
    confusion = markdown_table(tables["confusion"][0], tables["confusion"][1:])
    return "\n\n".join([summary, _classification(evaluation), confusion, *pictures])


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [list(map(escaped, header)), ["---", *["---:"] * (len(header) - 1)]]
    lines += [list(map(escaped, row)) for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escaped(text: object) -> str:
    """Text that Markdown shows as it is: labels, speakers and titles may hold anything."""
    return re.sub(r"([\\`*_\[\]|<>])", r"\\\1", str(text))


def _classification(evaluation: Evaluation) -> str:
    rows = [
        [name, *(f"{row[key]:.3f}" for key in ("precision", "recall", "f1-score")), f"{row['support']:.0f}"]
        for name, row in evaluation.report.items()
    ]
    return markdown_table(["label", "precision", "recall", "f1", "support"], rows)


def _tables(evaluation: Evaluation) -> dict[str, list[list[Any]]]:
    """Confusion, report, speakers and DET curve, each with its header."""
    labels, curve = evaluation.labels, evaluation.det
    confusion = [[label, *counts] for label, counts in zip(labels, evaluation.confusion.tolist(), strict=True)]
    report = [[name, *row.values()] for name, row in evaluation.report.items()]
    columns = ("share", "low", "high", "total")
    speakers = [[name, *(row[column] for column in columns)] for name, row in evaluation.per_speaker.items()]
    det = zip(curve.thresholds.tolist(), curve.false_alarms.tolist(), curve.misses.tolist(), strict=True)
    return {
        "confusion": [["said / heard", *labels], *confusion],
        "report": [["label", "precision", "recall", "f1", "support"], *report],
        "speakers": [["speaker", "share", "low", "high", "recordings"], *speakers],
        "det": [["threshold", "false_alarms", "misses"], *map(list, det)],
    }


def _write_csv(path: Path, rows: list[list[Any]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_whole(path, lambda beside: beside.write_text(text.getvalue(), encoding="utf-8"))
