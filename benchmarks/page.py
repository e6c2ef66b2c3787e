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


def read_table(page: str, section: str) -> list[list[str]]:
    """The rows of the table that stands there, without its head."""
    text = (DOCS / page).read_text().split(f"<!-- {section}: begin -->")[1].split(f"<!-- {section}: end -->")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table as Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
