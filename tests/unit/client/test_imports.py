"""What importing the public packages loads, and what they promise; in processes of their own: this one has it all."""

import subprocess
import sys

import pytest

import triscribe
from triscribe.errors import TriscribeError

NOT_OF_THE_CLIENT = (
    *("av", "ctranslate2", "faster_whisper", "huggingface_hub", "matplotlib", "onnxruntime", "opencc"),
    *("pydantic", "psutil", "rich", "tenacity", "tritonclient", "typer"),
)
"""Packages of the extras: whoever calls the API need not have them."""


def python(code, *, without=()):
    """Runs the code where the packages `without` are not installed."""
    hide = f"import sys; sys.modules.update(dict.fromkeys({without!r}))\n"
    return subprocess.run([sys.executable, "-c", hide + code], capture_output=True, text=True, timeout=60, check=False)


def loaded(code):
    ended = python(f"before = set(sys.modules)\n{code}\nprint(*sorted(set(sys.modules) - before))")
    assert ended.returncode == 0, ended.stderr
    return {name.partition(".")[0] for name in ended.stdout.split()}


def test_the_client_loads_nothing_that_an_extra_brings():
    found = loaded("import triscribe.client")
    assert "grpc" in found, "nothing was seen"
    assert found.isdisjoint(NOT_OF_THE_CLIENT)


def test_the_package_itself_loads_only_python():
    found = loaded("import triscribe")
    assert "triscribe" in found, "nothing was seen"
    assert found - {"triscribe"} <= sys.stdlib_module_names


@pytest.mark.parametrize("name", triscribe.__all__)
def test_every_public_name_is_there(name):
    value = getattr(triscribe, name)
    assert value.__name__ == name
    assert name in dir(triscribe)
    assert value.__doc__


def test_all_errors_are_public():
    def tree(error):
        return {error, *(one for child in error.__subclasses__() for one in tree(child))}

    ours = {error for error in tree(TriscribeError) if error.__module__ == "triscribe.errors"}
    assert ours == {
        value for name in triscribe.__all__ if name.endswith("Error") for value in [getattr(triscribe, name)]
    }


def test_a_name_that_is_not_there_is_an_import_error():
    with pytest.raises(ImportError, match="Transscriber"):
        from triscribe import Transscriber  # type: ignore[attr-defined]  # noqa: F401


def test_a_module_can_be_imported_from_the_package():
    assert python("from triscribe import blocking").returncode == 0


@pytest.mark.parametrize(
    ("name", "package"), [("Transcriber", "av"), ("transcribe", "psutil"), ("EmbeddedTriton", "pydantic")]
)
def test_a_name_whose_packages_are_missing_says_which_extra_brings_them(name, package):
    ended = python(f"from triscribe import {name}", without=(package,))
    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("triscribe.errors.MissingPackageError: triscribe.")
    assert f"({package}" in last
    assert "pip install 'triscribe[local]'" in last
    assert python(f"try:\n  from triscribe import {name}\nexcept ImportError: pass", without=(package,)).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "package", "extra"),
    [
        (("transcribe", "a.wav"), "typer", "local"),
        (("--help",), "rich", "local"),
        (("-v", "gateway", "--port", "0"), "typer", "gateway"),
        (("serve",), "tritonclient", "server"),
    ],
)
def test_the_command_without_its_packages_says_which_extra_brings_them(arguments, package, extra):
    code = f"sys.argv[1:] = {list(arguments)!r}\nfrom triscribe.cli import main\nmain()"
    ended = python(code, without=(package,))
    assert ended.returncode == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line == (
        f"Error: The command line needs more packages ({package} is missing): pip install 'triscribe[{extra}]'."
    )


SERVER = ("num2words", "onnx", "scipy")
GATEWAY = (
    "grpc_health",
    "grpc_reflection",
    "grpc_status",
    "prometheus_client",
    "pydantic_settings",
    "soxr",
    "structlog",
)
LOCAL = tuple(name for name in NOT_OF_THE_CLIENT if name != "matplotlib")


@pytest.mark.parametrize(
    ("code", "lacking"),
    [
        ("import triscribe.formats", (*LOCAL, *GATEWAY, *SERVER)),
        ("import triscribe.cli.app, triscribe; triscribe.Transcriber, triscribe.transcribe", (*GATEWAY, *SERVER)),
        ("import triscribe.gateway", (*SERVER, "uroman")),
        ("import triscribe.doctor", GATEWAY),
    ],
    ids=["formats", "local", "gateway", "server"],
)
def test_each_extra_is_enough_for_what_it_is_for(code, lacking):
    ended = python(code, without=lacking)
    assert ended.returncode == 0, ended.stderr


def test_a_server_of_its_own_needs_the_server_s_packages():
    code = "from triscribe import EmbeddedTriton, TranscribeOptions\nwith EmbeddedTriton(): pass"
    ended = python(code, without=("num2words",))
    assert "pip install 'triscribe[server]'" in ended.stderr.splitlines()[-1]


def test_a_module_of_ours_that_is_missing_is_shown_as_it_is():
    ended = python("from triscribe import Transcriber", without=("triscribe.tasks",))
    assert "MissingPackageError" not in ended.stderr
    assert "triscribe.tasks" in ended.stderr.splitlines()[-1]
