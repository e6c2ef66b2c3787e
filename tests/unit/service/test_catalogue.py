"""What the name of a model means."""

from __future__ import annotations

import pytest

from triscribe.errors import UnavailableError
from triscribe.service.catalogue import Catalogue, ServedModel

SERVED = {name: ServedModel(name, frozenset({"en"}), ("transcribe",)) for name in ("base", "tiny.en")}
FURTHER = {"whisper-1": "", "quick": "tiny.en"}


@pytest.mark.parametrize(
    ("name", "meant"),
    [(None, "base"), ("", "base"), ("whisper-1", "base"), ("quick", "tiny.en"), ("tiny.en", "tiny.en"), ("x", "x")],
)
def test_a_name_stands_for_a_model(name, meant):
    assert Catalogue(SERVED, ()).resolve(name, FURTHER) == meant


@pytest.mark.parametrize("name", [None, "", "whisper-1"])
def test_there_is_no_default_where_nothing_is_served(name):
    with pytest.raises(UnavailableError, match="no model is served"):
        Catalogue({}, ()).resolve(name, FURTHER)
