"""Weights: what they are, where they come from, and the cache that holds them.

`ModelStore` fetches, checks and finds them; the manifest describes them. Nothing here imports a model hub, pip
or a network library until something has to be fetched.
"""

from triscribe.models.manifest import Manifest, load_manifest
from triscribe.models.store import ModelStore

__all__ = ["Manifest", "ModelStore", "load_manifest"]
