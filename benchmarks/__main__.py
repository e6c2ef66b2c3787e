"""`python -m benchmarks`: what can be measured, one line each."""

from __future__ import annotations

import ast
from pathlib import Path


def main() -> None:
    """List the benchmarks: the modules that can be run."""
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        source = path.read_text()
        if path.parent == root or "if __name__ == " not in source:
            continue
        parts = path.relative_to(root.parent).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__main__")
        summary = (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]
        print(f"{name:42} {summary}")


if __name__ == "__main__":
    main()
