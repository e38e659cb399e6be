"""What was found, in words."""

from collections.abc import Sequence
from typing import Any

from digitd.daemon.bundle import Bundle, Thresholds
from digitd.daemon.mode import Mode
from digitd.export.calibration.adaptation import Comparison
from digitd.export.calibration.hearing import MODES, Heard, share
from digitd.export.calibration.operating_point import cost_at, costs
from digitd.export.calibration.share import Share

EXPECTED = {"always": "an open microphone", "entry": "digits are expected"}


def accuracy(heard: dict[Mode, list[Heard]]) -> str:
    """How many prompts came right in each mode, and which did not."""
    lines = [f"  {mode:7} ({EXPECTED[mode]}): {share(heard[mode])} of your digits right" for mode in MODES]
    wrong = sorted({_mistake(each) for each in heard["entry"] if not each.right})
    if wrong:
        lines.append(f"  wrong in entry: {'; '.join(wrong)}")
    missed = sorted(each.take.label for each in heard["always"] if not each.right)
    if missed:
        lines.append(f"  missed in always: {' '.join(missed)}")
    return "\n".join(lines)


def _mistake(heard: Heard) -> str:
    return f"{heard.take.label} gave {heard.digits or 'nothing'}"


def thresholds(bundle: Bundle, found: Thresholds, before: dict[Mode, Share], after: dict[Mode, Share]) -> str:
    """Each threshold that was changed, what it brings and what it costs."""
    curve, lines = costs(bundle), []
    for mode in MODES:
        shipped, own = bundle.manifest.thresholds.of(mode), found.of(mode)
        if own == shipped:
            lines.append(f"  {mode:7} {shipped:g}: fits")
            continue
        lines.append(
            f"  {mode:7} {shipped:g} -> {own:g}: {before[mode].right} -> {after[mode].right} of {after[mode].total} "
            f"right; false digits, measured on other people: {cost_at(curve, shipped)} -> {cost_at(curve, own)}"
        )
    return "\n".join(lines)


def comparison(found: Comparison) -> str:
    """What enrolment brings on held-back prompts."""
    lines = [
        f"  {mode:7} {share(found.before[mode])} -> {share(found.after[mode])}; "
        f"other words: {found.guard_before[mode]} -> {found.guard_after[mode]} digits"
        for mode in MODES
    ]
    lines.append(f"  the digit stands out by {sum(found.gains) / len(found.gains):+.2f} more (p = {found.chance:.3f})")
    return "\n".join(lines)


def metrics(heard: dict[Mode, list[Heard]], found: Comparison | None, levels: dict[str, Any]) -> dict[str, Any]:
    """What goes into the bundle's metrics.json."""
    return {
        "levels": levels,
        "prompts": {mode: _table(share(heard[mode])) for mode in MODES},
        "enrolment": found
        and {
            mode: {
                "held_back_before": _table(share(found.before[mode])),
                "held_back_after": _table(share(found.after[mode])),
                "guard_digits_before": found.guard_before[mode],
                "guard_digits_after": found.guard_after[mode],
            }
            for mode in MODES
        }
        | {"chance": round(found.chance, 4)},
    }


def _table(found: Share) -> dict[str, float]:
    low, high = found.interval
    return {"right": found.right, "total": found.total, "low": round(low, 4), "high": round(high, 4)}


def card(name: str, base: str, lines: Sequence[str]) -> str:
    """Markdown."""
    told = "\n".join(lines)
    return f"""# {name}

Derived from **{base}** by `digitd calibrate`, for one person and one microphone. What {base} was trained and measured
on, its card tells; for other people and microphones, take that.

```
{told}
```

`digitd calibrate --undo` takes it away again.
"""
