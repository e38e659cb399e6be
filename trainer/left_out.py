"""Bundles that each left other people out, read together: how the recipe hears strangers.

What is added up stands in each bundle's metrics.json, which `digitd export` measured on its test part.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from digitd.daemon.errors import ConfigError
from digitd.daemon.mode import Mode
from digitd.daemon.settings import read_text
from digitd.models import locate
from digitd.trainer.field_test import MODES, S_PER_HOUR, SNRS_DB
from digitd.trainer.run_folder import make_folder, write_whole
from digitd.trainer.scores import percent, share_right

PART = "test"


def pool(names_or_dirs: Sequence[str], out: Path) -> int:
    """Write left-out.md, and print it.

    Raises:
        ConfigError: a bundle has no figures of a test part.
        TrainingError: the folder cannot be written.
    """
    folds = [_metrics(name_or_dir) for name_or_dir in names_or_dirs]
    text = _text(names_or_dirs, folds)
    make_folder(out)
    write_whole(out / "left-out.md", lambda beside: beside.write_text(text, encoding="utf-8"))
    print(text)
    return 0


def _metrics(name_or_dir: str) -> dict[str, Any]:
    folder = locate(name_or_dir)
    if folder is None:
        raise ConfigError(f"no bundle {name_or_dir!r}; name a released one or a bundle's folder")
    path = folder / "metrics.json"
    try:
        found: dict[str, Any] = json.loads(read_text(path))[PART]
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{path}: no figures of a test part ({error!r}); release the bundle again") from error
    if "corpora" not in found[MODES[0]]:
        raise ConfigError(f"{path}: released by an older digitd, or hears utterances; release the bundle again")
    return found


def _text(names: Sequence[str], folds: Sequence[dict[str, Any]]) -> str:
    labels = " ".join(f"`{Path(name).name}`" for name in names)
    return f"""# Strangers, by leaving them out

{len(folds)} bundles of one recipe, {labels}: each left others out - people, words, noises - and is measured on those,
at thresholds that were chosen on yet others. Right is a word that gives exactly one digit event, and its own.
95 % intervals (Wilson) over recordings.

| digits right | {" | ".join(MODES)} |
|---|---|---|
{_rows(folds)}

{_strings(folds)}In noise that was not trained on, all corpora and FSDD alone (%):

| | {" | ".join(f"{snr_db} dB" for snr_db in SNRS_DB)} |
|{"---|" * (1 + len(SNRS_DB))}
{_ladders(folds)}

| no digit was said | {" | ".join(MODES)} |
|---|---|---|
{_silence(folds)}

Each speaker of whom there are ten words or more, {MODES[1]} / {MODES[0]}: {_speakers(folds)}.

Each bundle alone, {MODES[1]} / {MODES[0]}: {_alone(names, folds)}.
"""


def _pooled(shares: Sequence[dict[str, Any]]) -> dict[str, float]:
    return share_right(sum(share["right"] for share in shares), sum(share["total"] for share in shares))


def _rows(folds: Sequence[dict[str, Any]]) -> str:
    """All corpora, then each alone."""
    shares: dict[str, dict[Mode, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for fold in folds:
        for mode in MODES:
            for corpus, share in (("all", fold[mode]["right"]), *fold[mode]["corpora"].items()):
                shares[corpus][mode].append(share)
    return "\n".join(_row(corpus, shares[corpus]) for corpus in ("all", *sorted(shares.keys() - {"all"})))


def _row(title: str, shares: dict[Mode, list[dict[str, Any]]]) -> str:
    pooled = [_pooled(shares[mode]) for mode in MODES]
    return f"| {title}, {pooled[0]['total']} words | {' | '.join(map(percent, pooled))} |"


def _strings(folds: Sequence[dict[str, Any]]) -> str:
    """Of bundles that hear connected digits."""
    having = [fold for fold in folds if fold[MODES[0]].get("strings")]
    names = sorted({name for fold in having for name in fold[MODES[0]]["strings"]})
    if not names:
        return ""
    lines = [f"| strings wholly right | {' | '.join(MODES)} |", "|---|---|---|"]
    for name in names:
        shares = {
            mode: _pooled([f[mode]["strings"][name]["strings"] for f in having if name in f[mode]["strings"]])
            for mode in MODES
        }
        lines.append(f"| {name}, {shares[MODES[0]]['total']} | {' | '.join(map(percent, shares.values()))} |")
    return "\n".join([*lines, "", ""])


def _ladders(folds: Sequence[dict[str, Any]]) -> str:
    rows = []
    for mode in MODES:
        ladders = [fold[mode]["snr_db"]["unseen"] for fold in folds if "unseen" in fold[mode]["snr_db"]]
        for title in ("all", "fsdd"):
            found = [
                [ladder[str(snr)] if title == "all" else ladder[str(snr)]["corpora"].get(title) for ladder in ladders]
                for snr in SNRS_DB
            ]
            if all(any(shares) for shares in found):
                cells = " | ".join(f"{100 * _pooled([s for s in shares if s])['share']:.1f}" for shares in found)
                rows.append(f"| {title}, {mode} | {cells} |")
    return "\n".join(rows)


def _silence(folds: Sequence[dict[str, Any]]) -> str:
    """Of the folds that left such recordings out."""
    rows = []
    if having := [fold for fold in folds if "other_words_with_a_digit" in fold[MODES[0]]]:
        words = {mode: _pooled([fold[mode]["other_words_with_a_digit"] for fold in having]) for mode in MODES}
        shares = " | ".join(map(percent, words.values()))
        rows.append(f"| other words giving one, of {words[MODES[0]]['total']} | {shares} |")
    for name in ("speech", "noise"):
        having = [fold for fold in folds if f"{name}_s" in fold[MODES[0]]]
        whole_s = sum(fold[MODES[0]][f"{name}_s"] for fold in having)
        n_digits = {
            mode: sum(fold[mode][f"false_digits_per_hour_{name}"] * fold[mode][f"{name}_s"] for fold in having)
            for mode in MODES
        }
        if having:
            cells = " | ".join(f"{weighted / whole_s:.1f} an hour" for weighted in n_digits.values())
            rows.append(f"| digits in {name}, {whole_s / S_PER_HOUR:.2f} hours | {cells} |")
    return "\n".join(rows)


def _speakers(folds: Sequence[dict[str, Any]], fewest: int = 10) -> str:
    always, entry = (
        {name: found for fold in folds for name, found in fold[mode]["speakers"].items()} for mode in MODES
    )
    told = sorted((name for name in always if entry[name]["total"] >= fewest), key=lambda name: entry[name]["share"])
    return ", ".join(f"{name} {100 * entry[name]['share']:.1f} / {100 * always[name]['share']:.1f} %" for name in told)


def _alone(names: Sequence[str], folds: Sequence[dict[str, Any]]) -> str:
    always, entry = ([100 * fold[mode]["right"]["share"] for fold in folds] for mode in MODES)
    return ", ".join(
        f"{Path(name).name} {of_entry:.1f} / {of_always:.1f} %"
        for name, of_entry, of_always in zip(names, entry, always, strict=True)
    )
