"""`triscribe gateway` without a gateway: what is handed over, what is said when packages are missing."""

import inspect
import sys
from typing import Any

import pytest

from triscribe.cli import gateway as module
from triscribe.errors import UsageError
from triscribe.gateway import GatewaySettings


def test_every_option_is_a_setting(monkeypatch):
    """An option that is forgotten on its way would be taken and ignored."""
    names = list(inspect.signature(module.gateway).parameters)
    assert set(names) <= set(GatewaySettings.model_fields)
    given = {}

    def load(settings):
        given.update(settings)
        raise UsageError("enough")

    monkeypatch.setattr(module, "_load", load)
    given_values: dict[str, Any] = dict.fromkeys(names, "x")
    with pytest.raises(UsageError, match="enough"):
        module.gateway(**given_values)
    assert given == dict.fromkeys(names, "x")


def missing(monkeypatch, name):
    """An environment in which the module `name` cannot be found."""
    for loaded in [key for key in sys.modules if key.startswith(("triscribe.gateway", f"{name}."))]:
        monkeypatch.delitem(sys.modules, loaded)

    class Finder:
        def find_spec(self, wanted, path=None, target=None):
            if wanted == name:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])


def test_a_missing_package_is_named(monkeypatch):
    missing(monkeypatch, "grpc_reflection")
    with pytest.raises(UsageError, match=r"grpc_reflection is missing.*triscribe\[gateway\]"):
        module._load({})


def test_a_missing_module_of_ours_is_a_fault_of_ours(monkeypatch):
    """Once every ImportError was told as missing packages."""
    missing(monkeypatch, "triscribe.gateway.tls")
    with pytest.raises(ModuleNotFoundError, match="tls"):
        module._load({})
