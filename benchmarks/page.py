"""Pages of docs/ whose figures are written by the scripts that measure them, between two comments a section."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def write_section(page: str, section: str, text: str) -> None:
    """Replace what stands between `<!-- SECTION: begin -->` and `<!-- SECTION: end -->` of a page of docs/."""
    path = DOCS / page
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    before, rest = path.read_text().split(begin)
    after = rest.split(end)[1]
    path.write_text(f"{before}{begin}\n{text.rstrip()}\n{end}{after}")


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
