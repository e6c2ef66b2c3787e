"""The check that keeps the Chinese README in step: what it must notice, and in which words."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest

from tests.harness.paths import REPOSITORY

ENGLISH = (REPOSITORY / "README.md").read_text("utf-8")
CHINESE = (REPOSITORY / "README.zh-CN.md").read_text("utf-8")


@pytest.fixture(scope="module")
def check():
    loader = SourceFileLoader("check_translation", str(REPOSITORY / "scripts" / "check_translation"))
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = module_from_spec(spec)
    import sys

    sys.modules[loader.name] = module
    loader.exec_module(module)
    return module.check


def without(text, start):
    lines = text.splitlines(keepends=True)
    (line,) = [line for line in lines if line.startswith(start)]
    return text.replace(line, "")


def test_a_missing_row_is_named(check):
    (message,) = check(ENGLISH, without(CHINESE, "| 翻译成英语"))
    assert "lacks the row of 2 cells" in message
    assert "translate into English" in message


def test_a_row_too_many_is_named(check):
    (message,) = check(without(ENGLISH, "| translate into English"), CHINESE)
    assert "does not have: 翻译成英语" in message


@pytest.mark.parametrize(
    ("before", "after", "lacks"),
    [
        ("`--task translate`", "`--task translation`", "lacks `--task translate`"),
        ("--num-speakers 2", "--num-speakers 3", "lacks `--num-speakers 2`"),
        ("8 ms", "9 ms", "lacks 8"),
        ("(docs/api.md)", "(docs/apis.md)", "lacks (docs/api.md)"),
        ("scripts/test  ", "scripts/tests  ", "lacks scripts/test"),
        ("[English](README.md)", "English", "no link to README.md"),
    ],
)
def test_a_change_in_a_command_number_or_link_is_named(check, before, after, lacks):
    assert before in CHINESE
    assert any(lacks in message for message in check(ENGLISH, CHINESE.replace(before, after)))


def test_comments_in_code_are_free(check):
    assert check(ENGLISH, CHINESE) == check(ENGLISH, CHINESE.replace("# 转写", "# 转录"))
