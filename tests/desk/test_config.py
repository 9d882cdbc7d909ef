# SPDX-License-Identifier: Apache-2.0
"""Settings say where things lie; an unknown one is refused, and none of them touches a decision."""

from __future__ import annotations

from pathlib import Path

import pytest

from radiomicnet_md import config
from radiomicnet_md.errors import ConfigurationError, ExitCode


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration file; the system's lies beside it."""
    monkeypatch.setattr(config, "SYSTEM_FILE", tmp_path / "system.yaml")
    folder = tmp_path / "config" / "radiomicnet-md"
    folder.mkdir(parents=True)
    return folder / "config.yaml"


def load(tmp_path: Path, given: dict[str, str] | None = None, **environ: str) -> config.Settings:
    return config.load(given or {}, {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), **environ})


@pytest.mark.verifies("SRS-CLI-005")
def test_command_line_then_environment_then_system_then_user(user: Path, tmp_path: Path) -> None:
    assert load(tmp_path).home == tmp_path / ".local/share/radiomicnet-md"
    assert load(tmp_path, XDG_DATA_HOME="/data").home == Path("/data/radiomicnet-md")
    user.write_text("home: /user")
    assert load(tmp_path).home == Path("/user")
    config.SYSTEM_FILE.write_text("home: /system")
    assert load(tmp_path).home == Path("/system")
    assert load(tmp_path, RADIOMICNET_MD_HOME="/environment").home == Path("/environment")
    assert load(tmp_path, {"home": "/given"}, RADIOMICNET_MD_HOME="/environment").home == Path("/given")


@pytest.mark.verifies("SRS-CLI-005")
@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("hmoe: /x", "hmoe"),
        ("threshold: 0.5", "threshold"),
        ("operator: Doe Jane", "operator"),
        ("release_keys: 5", "release_keys"),
        ("home: {a: 1}", "home"),
        ("- home", "config.yaml"),
        ("{", "config.yaml"),
    ],
)
@pytest.mark.verifies("SRS-CLI-005", rc=("RC-023",))
def test_an_unknown_or_wrong_setting_is_named(user: Path, tmp_path: Path, text: str, named: str) -> None:
    user.write_text(text)
    with pytest.raises(ConfigurationError, match=named) as caught:
        load(tmp_path)
    assert caught.value.exit_code == ExitCode.CONFIGURATION
    assert caught.value.remedy


@pytest.mark.verifies("SRS-CLI-005")
def test_the_digest_follows_the_settings(user: Path, tmp_path: Path) -> None:
    digests = {
        load(tmp_path).digest,
        load(tmp_path, {"home": "/x"}).digest,
        load(tmp_path, {"operator": "svc"}).digest,
        load(tmp_path, {"audit_db": "sqlite:////x"}).digest,
        load(tmp_path, RADIOMICNET_MD_RELEASE_KEYS="/a:/b").digest,
    }
    assert len(digests) == 5
    assert load(tmp_path).digest == load(tmp_path).digest


@pytest.mark.verifies("SRS-REL-005")
def test_no_setting_is_about_a_decision() -> None:
    assert set(config.Settings.model_fields) == {
        *("home", "audit_db", "release", "release_keys", "operator", "cluster", "destinations")
    }
