"""The figures of a run at a glance: where the time goes, who answers how soon and at what cost, how many at once."""

from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

DPI = 110
INK, PALE, ACCENT = "#22313f", "#e8ecef", "#c8102e"
STAGE_COLOURS = ("#c9d6df", "#8fb3c9", "#4f8fb5", "#f2a65a", "#d1495b", "#7b5ea7", "#a0a8b0", "#5e6b75", "#303a42")
OURS, PEERS, RULES = "#d1495b", "#4f8fb5", "#a9b7c2"


def drawn(table: Mapping[str, Any]) -> Figure:
    """One panel for each part that has something to show."""
    parts: Mapping[str, Any] = table["parts"]
    panels = [draw for name, draw in PANELS.items() if parts.get(name)]
    rows = max(1, -(-len(panels) // 2))
    figure = Figure(figsize=(13, 0.8 + 4.3 * rows), layout="constrained", facecolor="white")
    for number, axis in enumerate(figure.subplots(rows, 2, squeeze=False).flat):
        if number < len(panels):
            panels[number](axis, parts)
            _tidy(axis)
        else:
            axis.set_axis_off()
    machine = table["machine"]
    quiet = "" if table["surroundings"]["quiet"] else " - not a quiet machine"
    figure.suptitle(
        f"digitd bench: {machine['processor']}, {machine['cores']} cores, {machine['date'][:10]}{quiet}",
        color=INK, fontsize="large", fontweight="bold",
    )  # fmt: skip
    return figure


def _tidy(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color("#9aa5ae")
    axis.tick_params(colors=INK, labelsize="small")
    axis.set_axisbelow(True)
    axis.title.set_color(INK)


def _stages(axis: Axes, parts: Mapping[str, Any]) -> None:
    """A bar for each way of feeding."""
    found = parts["stages"]
    widest = max(each["stages"]["all"]["us_per_audio_s"] for each in found.values()) / 1000
    for row, each in enumerate(reversed(found.values())):
        left_ms = 0.0
        for number, (stage, of) in enumerate(item for item in each["stages"].items() if item[0] != "all"):
            width_ms = of["us_per_audio_s"] / 1000
            axis.barh(row, width_ms, left=left_ms, color=STAGE_COLOURS[number], label=stage if row == 0 else None)
            if width_ms > widest / 18:
                dark = number in (2, 4, 5, 7, 8)
                text = f"{of['share']:.0%}"
                axis.text(left_ms + width_ms / 2, row, text, ha="center", va="center", fontsize="x-small",
                          color="white" if dark else INK)  # fmt: skip
            left_ms += width_ms
        axis.text(
            left_ms + widest / 60,
            row,
            f"{each['times_real_time']['median']:.0f} x",
            va="center",
            color=INK,
            fontweight="bold",
        )
    axis.set_yticks(range(len(found)), list(reversed(found)))
    axis.set(xlim=(0, 1.12 * widest), xlabel="ms of one core for a second of sound", title="Where the time goes")
    axis.legend(fontsize="x-small", ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False)


def _peers(axis: Axes, parts: Mapping[str, Any]) -> None:
    """Cost against latency; right and low is bad and far."""
    shown = {name: each for name, each in parts["peers"].items() if each["score"]["latency_s"]}
    for name, each in shown.items():
        cost_ms, latency_s = each["ms_per_audio_s"]["median"], each["score"]["latency_s"]
        ours, rule = name.startswith("digitd"), "silence" in name
        colour = OURS if ours else RULES if rule else PEERS
        axis.plot([latency_s["p50"], latency_s["p95"]], [cost_ms, cost_ms], color=colour, linewidth=2, alpha=0.6)
        axis.plot(latency_s["p50"], cost_ms, "s" if rule else "o", color=colour, markersize=6 if rule else 9)
        label = name if rule else f"{name} ({each['score']['right_share']:.0%} right)"
        axis.annotate(
            label.replace(" and ", ", ").replace(" of silence", ""), (latency_s["p50"], cost_ms),
            xytext=(0, -16 if "entry" in name else 8), textcoords="offset points", fontsize="x-small", color=INK,
        )  # fmt: skip
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.margins(x=0.08, y=0.15)
    axis.set_xlim(left=0, right=1.02)
    axis.set(
        xlabel="from the end of a word to its text, s (dot: median, line: to p95)",
        ylabel="ms of one core for a second of sound", title="Beside others, same sound, same run",
    )  # fmt: skip
    axis.grid(alpha=0.25)


def _streams(axis: Axes, parts: Mapping[str, Any]) -> None:
    """Latency to the left, the core to the right."""
    curve = parts["streams"]["curve"]
    numbers = [point["streams"] for point in curve]
    for key, style in (("p99", "-o"), ("p50", "--o")):
        latency_ms = [point["latency_ms"][key] for point in curve]
        axis.plot(numbers, latency_ms, style, color=OURS, markersize=4, label=f"latency {key}")
    axis.axhline(
        curve[0]["latency_ms"]["p99"] + 50, color=INK, linewidth=0.8, linestyle=":", label="one stream's p99 + 50 ms"
    )
    axis.set_ylim(0, max(100.0, min(400.0, 1.1 * max(point["latency_ms"]["p99"] for point in curve))))
    axis.set(
        xlabel="live streams of continuous speech", ylabel="ms from sound to event", title="Many streams, one core"
    )
    beside = axis.twinx()
    beside.fill_between(numbers, [point["core_percent"] for point in curve], color="#8fb3c9", alpha=0.3, label="core")
    beside.set(ylim=(0, 105), ylabel="% of the core")
    beside.spines[["top"]].set_visible(False)
    beside.tick_params(colors=INK, labelsize="small")
    axis.set_zorder(beside.get_zorder() + 1)
    axis.patch.set_visible(False)
    axis.legend(fontsize="x-small", frameon=False, loc="upper left")


def _batches(axis: Axes, parts: Mapping[str, Any]) -> None:
    """How much a stream costs by how many are heard together."""
    for device, colour in (("cpu", OURS), ("cuda", "#3a7d44")):
        if points := parts["batches"].get(device):
            sizes = [point["streams"] for point in points]
            axis.plot(sizes, [point["streams_in_real_time"] for point in points], "-o", color=colour, label=device)
    axis.set_xscale("log", base=2)
    axis.set_xticks(sizes, [f"{size:.0f}" for size in sizes])
    axis.set_ylim(bottom=0)
    axis.set(
        xlabel="streams in a call of the network", ylabel="streams in real time, the network alone",
        title="What batching gives",
    )  # fmt: skip
    axis.grid(alpha=0.25)
    axis.legend(fontsize="x-small", frameon=False)


PANELS: dict[str, Callable[[Axes, Mapping[str, Any]], None]] = {
    "stages": _stages,
    "peers": _peers,
    "streams": _streams,
    "batches": _batches,
}
