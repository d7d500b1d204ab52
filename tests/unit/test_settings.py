from pathlib import Path

import pytest
from pydantic import ValidationError

from ratehouse.settings import Settings, SettingsError


def test_everything_has_a_default_below_home(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path, environ={})
    assert settings.lake_url == str(tmp_path / "data/lake")
    assert settings.warehouse_path == tmp_path / "data/warehouse/ratehouse.duckdb"
    assert settings.lock_path == tmp_path / "data/warehouse/ratehouse.duckdb.lock"
    assert settings.serving_path == tmp_path / "data/serving/current.duckdb"
    assert settings.documents_url == str(tmp_path / "data/documents")
    assert settings.tenants_dir == tmp_path / "tenants"
    assert (settings.memory_limit, settings.threads) == (None, None)
    assert settings.dbt_project_dir.name == "dbt_project"


def test_the_environment_overrides(tmp_path: Path) -> None:
    settings = Settings.load(
        environ={
            "RATEHOUSE_HOME": str(tmp_path),
            "RATEHOUSE_LAKE": "s3://bucket/lake",
            "RATEHOUSE_WAREHOUSE": "/elsewhere/w.duckdb",
            "RATEHOUSE_SERVING": "served",
            "RATEHOUSE_MEMORY_LIMIT": "4GB",
            "RATEHOUSE_THREADS": "2",
        }
    )
    assert settings.lake_url == "s3://bucket/lake"
    assert settings.warehouse_path == Path("/elsewhere/w.duckdb")
    assert settings.serving_dir == tmp_path / "served"
    assert (settings.memory_limit, settings.threads) == ("4GB", 2)


@pytest.mark.parametrize("threads", ["0", "-1", "two", "1.5"])
def test_threads_must_be_a_positive_whole_number(tmp_path: Path, threads: str) -> None:
    with pytest.raises(SettingsError, match="RATEHOUSE_THREADS"):
        Settings.load(tmp_path, environ={"RATEHOUSE_THREADS": threads})


def test_settings_do_not_change_during_a_run(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        setattr(Settings.load(tmp_path, environ={}), "lake_url", "elsewhere")  # noqa: B010
