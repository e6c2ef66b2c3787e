import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from triscribe.cli.models import models_app
from triscribe.models import load_manifest

MANIFEST = """
format = 1
[[model]]
name = "ours"
kind = "aligner"
description = "ours"
license = "CC-BY-NC-4.0"
commercial = false
files = [{{ name = "model.onnx", size = 7 }}]
[model.source]
kind = "folder"
path = "{path}"
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch):
    share = tmp_path / "share"
    share.mkdir()
    (share / "model.onnx").write_bytes(b"weights")
    (tmp_path / "site.toml").write_text(MANIFEST.format(path=share))
    monkeypatch.setenv("TRISCRIBE_MANIFEST", str(tmp_path / "site.toml"))
    monkeypatch.setenv("TRISCRIBE_CACHE", str(tmp_path / "cache"))
    return lambda *arguments: CliRunner().invoke(models_app, list(arguments))


def test_list_shows_every_model_with_licence_pin_and_cache_state(run):
    result = run("list")
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert {model.name for model in load_manifest().model} <= lines.keys()
    assert "CC-BY-NC-4.0 (non-commercial)" in lines["ours"]
    assert "first use" in lines["ours"]
    assert "pinned" in lines["base"]


def test_list_json_is_complete_and_alone_on_stdout(run):
    listed = {model["name"]: model for model in json.loads(run("list", "--json").stdout)}
    assert listed.keys() == {model.name for model in load_manifest().model}
    assert listed["large-v3"]["license"] == "MIT"
    assert listed["ours"]["path"] is None


def test_pull_prints_the_folder_on_stdout_and_progress_on_stderr(run):
    result = run("pull", "ours", "--accept-noncommercial")
    assert result.exit_code == 0
    assert Path(result.stdout.strip(), "model.onnx").read_bytes() == b"weights"
    assert "ours: ready" in result.stderr


def test_failures_exit_with_1_and_one_line_each_and_do_not_stop_the_rest(run):
    result = run("pull", "nope", "ours")
    assert result.exit_code == 1
    assert [line.split(":")[1].strip() for line in result.stderr.splitlines()] == ["nope", "ours"]
    assert "Traceback" not in result.output
    assert result.stdout == ""


@pytest.mark.parametrize("name", ["\x1b[31mred", "a\nb", "a\u202eb"], ids=ascii)
def test_an_odd_name_is_one_line_of_what_can_be_seen(run, name):
    for command in ("pull", "verify"):
        (line,) = run(command, name).stderr.splitlines()
        assert not set(line) & set("\x1b\u202e")


def test_verify_reports_corruption_and_pull_repairs_it(run):
    folder = Path(run("pull", "ours", "--accept-noncommercial").stdout.strip())
    assert run("verify", "--all").stdout == "ours: ok\n"
    (folder / "model.onnx").write_bytes(b"WEIGHTS")
    result = run("verify", "ours", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == [{"name": "ours", "ok": False, "corrupt": ["model.onnx"], "missing": []}]
    assert run("pull", "ours", "--accept-noncommercial").exit_code == 0
    assert run("verify", "ours").exit_code == 0


@pytest.mark.parametrize("arguments", [["verify"], ["verify", "ours", "--all"], ["pull"], ["list", "--nope"]])
def test_wrong_usage_exits_with_2(run, arguments: list[str]):
    assert run(*arguments).exit_code == 2


def test_broken_site_manifest_is_one_line(run, tmp_path: Path):
    (tmp_path / "site.toml").write_text("format = 2\n")
    result = run("list")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
