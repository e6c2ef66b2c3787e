"""Packages that pyannote.audio imports to train, to tune, to draw and to read files, none of which is done here.

Half of the time that pyannote.audio takes to import goes into them. While it is imported they are replaced by empty
modules, whose every name is a class that does nothing; afterwards they are importable as ever.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

UNNEEDED = (
    "matplotlib",  # drawing
    "mpl_toolkits",
    "networkx",  # speakers of several files matched, for training
    "optuna",  # tuning
    "pandas",  # lists of data sets, tables of metrics
    "pyannote.metrics",  # judging, which brings scipy.stats
    "pyannote.pipeline.optimizer",  # tuning
    "scipy.signal",  # changes of speaker, which the pipelines find in another way
    # Not torch.export nor torch._meta_registrations: torch.vmap needs them, in the embeddings of pyannote's pipelines.
    "torch._dynamo",  # compiling; lightning asks whether a model is compiled, and ours are not
    "torch.utils.flop_counter",  # brings the compiler of GPU kernels
    "torch_audiomentations",  # training
    "torchcodec",  # reading files: we hand samples over
    "torchmetrics",  # training
)


@contextmanager
def left_out(packages: Sequence[str] = UNNEEDED) -> Iterator[None]:
    """Within it, imports of `packages` and what is below them bring stand-ins. Those loaded already stay as they are.

    What was imported here keeps its stand-ins: to use one after the end is an ImportError.
    """
    finder = _Finder(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        finder.withdraw()


class _StandInType(type):
    def __getattr__(cls, name: str) -> Any:
        return cls._named(name)

    def _named(cls, name: str) -> type:
        if name.startswith("__"):  # asked for by the import machinery, by copy, by pickle: there is no such thing
            raise AttributeError(name)
        return cls


class _Module(ModuleType):
    """Has every name; each is the same class."""

    stand_in: type

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.stand_in


class _Finder(MetaPathFinder, Loader):
    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = tuple(packages)
        self._made: list[_Module] = []
        self._stand_in = _make_stand_in(lambda: self in sys.meta_path)

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if any(f"{name}.".startswith(f"{package}.") for package in self._packages):
            return ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = _Module(spec.name)
        module.stand_in = self._stand_in
        self._made.append(module)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """There is nothing in it."""

    def withdraw(self) -> None:
        """Forget the modules made, so that the next import brings the real ones."""
        for module in self._made:
            name = module.__name__
            if sys.modules.get(name) is module:
                del sys.modules[name]
            parent, _, last = name.rpartition(".")
            above = sys.modules.get(parent)
            if above is not None and vars(above).get(last) is module:
                delattr(above, last)


def _make_stand_in(is_importing: Any) -> type:
    """A class that may be named, called, subclassed and used as a decorator while modules are imported."""

    class StandIn(metaclass=_StandInType):
        def __new__(cls, *_: object, **__: object) -> Any:
            if not is_importing():
                raise ImportError("this package was left out when the diarizer was started")
            return super().__new__(cls)

        def __init__(self, *_: object, **__: object) -> None:
            pass

        def __class_getitem__(cls, _: object) -> type:
            return cls

        def __getattr__(self, name: str) -> Any:
            return type(self)._named(name)

        def __call__(self, *_: object, **__: object) -> Any:
            return type(self)()

    return StandIn
