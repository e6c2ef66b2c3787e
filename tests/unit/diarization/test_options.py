import pytest

from triscribe.diarization.options import DiarizationOptions
from triscribe.diarization.process import find_python
from triscribe.errors import DiarizationError, UsageError


@pytest.mark.parametrize(
    "bounds",
    [
        {"num_speakers": 2, "min_speakers": 1},
        {"num_speakers": 2, "max_speakers": 2},
        {"min_speakers": 3, "max_speakers": 2},
        {"num_speakers": 0},
        {"max_speakers": -1},
    ],
)
def test_contradictions_are_refused(bounds):
    with pytest.raises(UsageError):
        DiarizationOptions(**bounds)


@pytest.mark.parametrize("bounds", [{}, {"num_speakers": 1}, {"min_speakers": 2, "max_speakers": 2}])
def test_what_makes_sense_is_taken(bounds):
    options = DiarizationOptions(**bounds)
    assert {name: getattr(options, name) for name in bounds} == bounds


def test_a_configured_interpreter_must_exist(monkeypatch, tmp_path):
    monkeypatch.setenv("TRISCRIBE_DIARIZER_PYTHON", str(tmp_path / "python"))
    with pytest.raises(DiarizationError, match="TRISCRIBE_DIARIZER_PYTHON"):
        find_python()


def test_the_setting_wins_over_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("TRISCRIBE_DIARIZER_PYTHON", str(tmp_path / "absent"))
    (tmp_path / "python").touch()
    assert find_python(tmp_path / "python") == tmp_path / "python"


def test_without_an_environment_the_remedy_is_named(monkeypatch, tmp_path):
    monkeypatch.delenv("TRISCRIBE_DIARIZER_PYTHON", raising=False)
    monkeypatch.setattr("triscribe.__file__", str(tmp_path / "a/b/triscribe/__init__.py"))
    monkeypatch.setattr("sys.prefix", str(tmp_path / "venv"))
    with pytest.raises(DiarizationError, match=r"requirements/diarizer\.txt"):
        find_python()
