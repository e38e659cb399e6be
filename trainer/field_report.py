"""What a field test found -> tables and a picture; card and evaluation read off the same functions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from digitd.trainer.field_test import MODES
from digitd.trainer.scores import percent
from digitd.trainer.split import PARTS

Metrics = Mapping[str, Any]
"""By part what `field_test.measured` gives, with its curve and reliability."""

WORDS = (0.005, 0.015, 0.05, 0.1)
PER_HOUR = (3, 30)
"""Rates of false digits at which misses are told."""


def _parts(metrics: Metrics) -> list[str]:
    return [part for part in PARTS if part in metrics]


def table(metrics: Metrics, thresholds: Mapping[str, float]) -> str:
    """A row a part and mode, as Markdown."""
    rows = [
        "| part | mode | threshold | digits | right | latency p50 / p95 | other words with a digit | speech | noise |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for part in _parts(metrics):
        for mode in MODES:
            found = metrics[part][mode]
            latency = " / ".join(f"{seconds:.2f} s" for seconds in found["latency_s"].values())
            words = found.get("other_words_with_a_digit")
            speech, noise = (found.get(f"false_digits_per_hour_{name}", "-") for name in ("speech", "noise"))
            shares = f"{percent(found['right'])} | {latency} | {percent(words) if words else '-'}"
            rows.append(
                f"| {part} | {mode} | {thresholds[mode]:g} | {found['words']} | {shares} | {speech} | {noise} |"
            )
    return "\n".join(rows)


def ladder(metrics: Metrics) -> str:
    """Digits right in noise, as Markdown."""
    ladders = list(_ladders(metrics))
    snrs_db = list(ladders[0][2]) if ladders else []
    rows = [
        "| part | mode | noise | " + " | ".join(f"{snr} dB" for snr in snrs_db) + " |",
        "|---" * (3 + len(snrs_db)) + "|",
    ]
    for part, (mode, noise), ladder in ladders:
        shares = " | ".join(f"{100 * ladder[snr]['share']:.1f}" for snr in snrs_db)
        rows.append(f"| {part} | {mode} | {noise} | {shares} |")
    return "\n".join(rows)


def _ladders(metrics: Metrics) -> Iterator[tuple[str, tuple[str, str], dict[str, Any]]]:
    for part in _parts(metrics):
        for mode in MODES:
            for noise, ladder in metrics[part][mode]["snr_db"].items():
                yield part, (mode, noise), ladder


def fixed_rates(metrics: Metrics) -> str:
    """Digits right at the threshold that gives most of them and no more false ones than that, as Markdown."""
    limits = [("words", share, f"{share:.1%} of words") for share in WORDS] + [
        ("speech_per_hour", rate, f"{rate} an hour of speech") for rate in PER_HOUR
    ]
    rows = ["| part | " + " | ".join(title for _, _, title in limits) + " |", "|---" * (1 + len(limits)) + "|"]
    for part in _parts(metrics):
        curve = metrics[part]["curve"]
        cells = [
            f"{100 * max(right):.1f}"
            if (right := [point["right"] for point in curve if point[key] is not None and point[key] <= limit])
            else "-"
            for key, limit, _ in limits
        ]
        rows.append(f"| {part} | {' | '.join(cells)} |")
    return "\n".join(rows)


def strings(metrics: Metrics) -> str:
    """Strings of digits, as Markdown with an empty line after it; nothing where the bundle hears none."""
    rows = [
        (part, mode, name, found)
        for part in _parts(metrics)
        for mode in MODES
        for name, found in metrics[part][mode].get("strings", {}).items()
    ]
    if not rows:
        return ""
    lines = [
        "Strings of digits, wholly right; substitutions, deletions, insertions; latency of each digit:",
        "",
        "| part | mode | strings | wholly right | digits | S / D / I | digit errors | latency p50 / p95 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for part, mode, name, found in rows:
        kinds = " / ".join(str(found[error]) for error in ("substitutions", "deletions", "insertions"))
        latency = " / ".join(f"{seconds:.2f} s" for seconds in found["latency_s"].values())
        cells = f"{percent(found['strings'])} | {found['digits']} | {kinds} | {100 * found['digit_error_rate']:.1f} %"
        lines.append(f"| {part} | {mode} | {name} | {cells} | {latency} |")
    return "\n".join([*lines, "", *_by_length(rows), ""])


def _by_length(rows: Sequence[tuple[str, str, str, dict[str, Any]]]) -> list[str]:
    """Of those that were put together."""
    chosen = [row for row in rows if row[2] == "put together"]
    if not chosen:
        return []
    lengths = list(chosen[0][3]["lengths"])
    lines = [
        "Strings put together, wholly right (%) by number of digits:",
        "",
        f"| part | mode | {' | '.join(lengths)} |",
        f"|{'---|' * (2 + len(lengths))}",
    ]
    for part, mode, _, found in chosen:
        cells = " | ".join(f"{100 * found['lengths'][length]['share']:.0f}" for length in lengths)
        lines.append(f"| {part} | {mode} | {cells} |")
    return [*lines, ""]


def speakers(metrics: Metrics) -> str:
    """Each speaker's share in entry mode, the worst first; of a crowd the mean."""
    named = {
        name: found["share"] for part in _parts(metrics) for name, found in metrics[part]["entry"]["speakers"].items()
    }
    many = {name: share for name, share in named.items() if not name.startswith("gsc-")}
    crowd = [share for name, share in named.items() if name.startswith("gsc-")]
    told = [f"{name} {share:.1%}" for name, share in sorted(many.items(), key=lambda item: item[1])]
    if crowd:
        told.append(f"{len(crowd)} of Speech Commands {sum(crowd) / len(crowd):.1%} in the mean")
    return ", ".join(told)


def picture(metrics: Metrics) -> Figure:
    """Digits in noise; misses against false digits; reliability."""
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    noisy, trade, reliable = figure.subplots(1, 3)
    for part, (mode, noise), ladder in _ladders(metrics):
        if mode == "entry":
            shares = [100 * row["share"] for row in ladder.values()]
            noisy.plot([int(snr) for snr in ladder], shares, marker=".", label=f"{part}, {noise} noise")
    noisy.set(xlabel="signal to noise (dB)", ylabel="digits right, entry mode (%)", ylim=(0, 101))
    for part in _parts(metrics):
        curve = metrics[part]["curve"]
        missed = [100 * (1 - point["right"]) for point in curve]
        for key, scale, what in (
            ("words", 100, "% of other words"),
            ("speech_per_hour", 1, "digits an hour of speech"),
        ):
            if curve[0][key] is not None:
                trade.plot([scale * point[key] for point in curve], missed, marker=".", label=f"{part}: {what}")
        bins = metrics[part]["reliability"]
        reliable.plot([row[0] for row in bins], [row[1] for row in bins], marker="o", label=part)
    trade.set(xlabel="false", ylabel="digits not right (%)", xscale="symlog", ylim=(0, None))
    trade.xaxis.set_major_formatter("{x:g}")
    reliable.plot([0, 1], [0, 1], ":", color="grey")
    reliable.set(xlabel="confidence", ylabel="share right", xlim=(0, 1), ylim=(0, 1.02))
    for axis in (noisy, trade, reliable):
        axis.grid(alpha=0.3)
        axis.legend(fontsize="x-small")
    return figure
