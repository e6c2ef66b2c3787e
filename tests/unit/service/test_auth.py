import hmac
import os
from pathlib import Path

import pytest

from triscribe.errors import ServingError, UnauthenticatedError
from triscribe.service import auth
from triscribe.service.auth import TokenFile, make_token


@pytest.fixture
def tokens(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    made = {name: make_token(name) for name in ("web", "batch")}
    path = tmp_path / "tokens"
    path.write_text("# who may call\n" + "\n".join(line for _, line in made.values()) + "  # batch jobs\n")
    return path, {name: token for name, (token, _) in made.items()}


def bearer(token: str) -> dict[str, object]:
    return {"authorization": f"Bearer {token}"}


def test_a_token_names_its_caller(tokens):
    path, by_name = tokens
    file = TokenFile(path)
    for name, token in by_name.items():
        assert file.caller(bearer(token)) == name


def test_the_file_holds_no_token(tokens):
    path, by_name = tokens
    assert not any(token in path.read_text() for token in by_name.values())


@pytest.mark.parametrize(
    "metadata", [{}, {"authorization": ""}, bearer(""), bearer("guess"), {"authorization": "Basic x"}]
)
def test_others_stay_out_and_learn_nothing(tokens, metadata):
    with pytest.raises(UnauthenticatedError, match=r"^the bearer token is missing or wrong$"):
        TokenFile(tokens[0]).caller(metadata)


def test_every_entry_is_compared_in_constant_time(tokens, monkeypatch):
    path, by_name = tokens
    compared, original = [], hmac.compare_digest

    def compare(a: str, b: str) -> bool:
        compared.append(a)
        return original(a, b)

    file = TokenFile(path)
    monkeypatch.setattr(hmac, "compare_digest", compare)
    file.caller(bearer(by_name["web"]))  # the first entry: no early end
    assert len(compared) == 2


def test_rotation_needs_no_restart_and_a_broken_file_locks_nobody_out(tokens, monkeypatch):
    path, by_name = tokens
    monkeypatch.setattr(auth, "_LOOK_AGAIN_S", 0.0)
    file = TokenFile(path)
    fresh, line = make_token("web")
    path.write_text(line)
    assert file.caller(bearer(fresh)) == "web"
    with pytest.raises(UnauthenticatedError):
        file.caller(bearer(by_name["web"]))
    path.write_text("nonsense")
    os.utime(path, (1, 1))
    assert file.caller(bearer(fresh)) == "web"


def test_a_wrong_line_is_named(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("# fine\nweb plaintext-token\n")
    with pytest.raises(ServingError, match="Line 2"):
        TokenFile(path)
