"""The doctor's report as people and programs get it."""

import json
from pathlib import Path

import pytest

from slipstream.cli.main import main


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home of an installation that only relays, which is also where we are."""
    monkeypatch.setenv("SLIPSTREAM_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slipstream.toml").write_text("[server]\nport = 0\n[models]\n[providers]\n")
    return tmp_path


def test_doctor_of_a_healthy_machine_ends_with_0(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Warnings are no failure: status 0, one line for each subject, and what to do."""
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    subjects = ("python", "memory", "home", "configuration", "model", "keys", "provider", "port")
    assert all(f" {subject}" in shown for subject in subjects)
    assert "slipstream keys create NAME" in shown
    assert str(home / "slipstream.toml") in shown or "slipstream.toml" in shown


def test_doctor_reports_every_problem_of_a_configuration(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong configuration is a failure, each problem a line with its place; status 1."""
    (home / "slipstream.toml").write_text("[server]\nprot = 1\nport = 'x'\n")
    assert main(["doctor", "--json"]) == 1
    findings = json.loads(capsys.readouterr().out)
    failed = [each["text"] for each in findings if each["status"] == "fail"]
    assert len(failed) == 2
    assert all("slipstream.toml:" in text for text in failed)


def test_doctor_says_it_in_json(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get the same findings: subject, status, text, advice."""
    assert main(["doctor", "--json"]) == 0
    findings = json.loads(capsys.readouterr().out)
    assert {"subject", "status", "text", "advice"} == set(findings[0])
    assert {each["status"] for each in findings} <= {"ok", "warn", "fail"}


def test_doctor_fails_where_a_provider_cannot_be_reached(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A provider that is configured and refuses connections is a failure; its key stays secret."""
    lab = 'dialect = "openai_chat"\nbase_url = "http://127.0.0.1:9/v1"\napi_key = "hush-hush"\n'
    (home / "slipstream.toml").write_text(f"[server]\nport = 0\n[models]\n[providers.lab]\n{lab}")
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "lab: no connection to 127.0.0.1:9" in shown
    assert "hush-hush" not in shown
