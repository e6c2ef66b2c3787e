"""Where things are: the repository, the development data, the installed command."""

from __future__ import annotations

import os
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
DATA = Path(os.environ.get("TRISCRIBE_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
"""The development data; what needs it is skipped where it is absent."""

COMMAND = str(Path(sys.executable).with_name("triscribe"))
"""The command, as it was installed with the interpreter that runs this."""
