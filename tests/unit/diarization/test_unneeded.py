"""What is left out while pyannote.audio is imported: stand-ins that do nothing, and are gone afterwards."""

import importlib
import sys

import pytest

from triscribe.diarizer.unneeded import left_out

USER = """
import drawing
import drawing.colours.warm as warm
from drawing.pens import Pen, colour_of
from frame.parts import Wheel

class Fountain(Pen):
    size: Pen | None = None
    inks: "list[Pen]" = []
    names = Pen[str]

@colour_of("blue")
def draw():
    return Pen()

def look(pen: Pen) -> warm.Red:
    return pen
"""


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A module that names, subclasses and decorates with what two packages hold; one of those is a part of another."""
    (tmp_path / "drawing").mkdir()
    (tmp_path / "drawing" / "__init__.py").write_text("REAL = True")
    (tmp_path / "frame" / "parts").mkdir(parents=True)
    (tmp_path / "frame" / "__init__.py").write_text("")
    (tmp_path / "frame" / "parts" / "__init__.py").write_text("class Wheel: real = True")
    (tmp_path / "user_of_drawing.py").write_text(USER)
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield lambda: importlib.import_module("user_of_drawing")
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_what_is_left_out_can_be_named_but_not_used(user):
    with left_out(["drawing", "frame.parts"]):
        module = user()
        assert issubclass(module.Fountain, module.Pen)
        assert not isinstance(object(), module.Wheel)
    with pytest.raises(ImportError, match="left out"):
        module.Pen()
    with pytest.raises(ImportError, match="left out"):
        module.draw()


def test_afterwards_the_real_packages_are_there(user):
    with left_out(["drawing", "frame.parts"]):
        user()
        assert "drawing.colours.warm" in sys.modules
    assert not [name for name in sys.modules if name.partition(".")[0] == "drawing"]
    assert importlib.import_module("drawing").REAL
    assert not hasattr(sys.modules["frame"], "parts")
    assert importlib.import_module("frame.parts").Wheel.real


def test_what_was_there_before_stays(user):
    real = importlib.import_module("frame.parts")
    with left_out(["drawing", "frame.parts"]):
        assert user().Wheel is real.Wheel
    assert sys.modules["frame.parts"] is real


def test_it_ends_with_an_error_inside(user):
    with pytest.raises(ModuleNotFoundError), left_out(["drawing"]):
        importlib.import_module("painting")
    assert importlib.import_module("drawing").REAL


def test_names_that_only_begin_alike_are_not_meant(user):
    with left_out(["draw"]):
        assert importlib.import_module("drawing").REAL
