"""Load libraries one after the other; run by path, so that it imports nothing of ours.

Usage: python _load.py MODULE ...   prints "MODULE: loading" and then what became of it, each a line of JSON
"""

import importlib
import importlib.metadata
import json
import sys


def version(module: str) -> str:
    """Version of the distribution that brought a module, as far as it is known."""
    for distribution in importlib.metadata.packages_distributions().get(module.partition(".")[0], []):
        return importlib.metadata.version(distribution)
    return ""


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(json.dumps({"module": name, "state": "loading"}), flush=True)  # noqa: T201
        try:
            if importlib.import_module(name).__file__ is None:
                raise ImportError(f"of {name} only a folder without code is left")
        except BaseException as error:  # whatever a library does when it is loaded
            print(json.dumps({"module": name, "state": "failed", "why": f"{error}"}), flush=True)  # noqa: T201
        else:
            print(json.dumps({"module": name, "state": "loaded", "version": version(name)}), flush=True)  # noqa: T201
