"""Links within the project lead somewhere, to the heading too."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from tests.docs.example import ROOT

LISTED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=ROOT, capture_output=True, text=True, check=True,
)  # fmt: skip
PAGES = sorted(ROOT / name for name in LISTED.stdout.split() if (ROOT / name).exists())


def links(path: Path) -> Iterator[str]:
    """Addresses of a page's links and pictures."""
    for token in MarkdownIt("commonmark").enable("table").parse(path.read_text(encoding="utf-8")):
        for child in token.children or []:
            if address := child.attrGet("href") or child.attrGet("src"):
                yield str(address)


def headings(path: Path) -> set[str]:
    """What a link's part after # may be: headings as forges name them."""
    tokens = MarkdownIt("commonmark").parse(path.read_text(encoding="utf-8"))
    texts = [tokens[index + 1].content for index, token in enumerate(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_within_the_project_lead_somewhere(path: Path) -> None:
    for address in links(path):
        if re.match(r"\w+:", address):
            continue
        name, _, heading = address.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), address
        assert not heading or heading in headings(target), address


def test_every_page_is_reached_from_the_readme() -> None:
    seen, left = set(), [ROOT / "README.md"]
    while left:
        page = left.pop().resolve()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            left += [page.parent / address.partition("#")[0] for address in links(page) if ":" not in address]
    assert set((ROOT / "docs").glob("*.md")) <= seen
