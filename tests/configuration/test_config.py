import asyncio
import logging
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

import djflow.configuration
from djflow.configuration import Config, Secret, Settings, changed, dotted, load_shared
from djflow.configuration.build import values_of
from djflow.configuration.loglevel import apply_loglevel
from djflow.errors import ConfigError, DjflowError, ThreadSafetyError, UnknownSettingError


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(lambda: Settings(home=tmp_path))


def test_attributes_and_items_nested_or_dotted_are_the_same_setting(config: Config) -> None:
    config.database.host = "one"
    assert config["database.host"] == config["database"]["host"] == "one"
    config["database.host"] = "two"
    assert config.database.host == config.settings.database.host == "two"
    config["database"]["host"] = "three"
    assert config.database["host"] == "three"
    config["database"] = {"host": "four", "port": "6000"}
    assert (config.database.host, config.database.port) == ("four", 6000)


def test_a_refused_value_changes_nothing(config: Config) -> None:
    before = config.settings
    with pytest.raises(ConfigError, match=r"'display\.limit' must be an integer of at least 1, got 0"):
        config.display.limit = 0
    with pytest.raises(ConfigError, match="Did you mean 'safemode'"):
        config["safemod"] = False
    with pytest.raises(ConfigError), config.override(display__limit="few"):
        pytest.fail("the block ran")
    assert config.settings is before


def test_an_absent_setting_is_absent_to_every_way_of_asking(config: Config) -> None:
    assert not hasattr(config, "colour")
    assert config.get("colour", "none") == "none"
    assert "colour" not in config.display
    assert config.get("display.limit") == 12
    with pytest.raises(
        UnknownSettingError, match=r"^There is no setting 'database.hst'. Did you mean"
    ) as caught:
        config.database.hst  # noqa: B018 - reading is the test
    assert caught.value.key == "database.hst"


def test_stores_behave_like_a_dict(config: Config) -> None:
    config["stores"]["uc"] = {"protocol": "databricks", "token": "dapi", "location": "x"}
    config["stores"]["default"] = "uc"
    assert list(config["stores"].keys()) == ["default", "filepath_default", "uc", "local"]
    assert config["stores"]["uc"]["location"] == "x"
    assert config.get_store_spec()["hash_prefix"] == "_hash"
    assert config.settings.stores.named().revealed()["token"] == "dapi"
    config["stores"]["uc"]["location"] = "y"
    assert config.get_store_spec("uc")["location"] == "y"
    config["stores"]["uc"] = {"protocol": "file", "location": "z"}
    assert "token" not in config.get_store_spec("uc")
    config.stores.filepath_default = "uc"
    assert config.get_store_spec(use_filepath_default=True)["location"] == "z"
    config["stores"] = {"default": "other", "other": {"protocol": "file", "location": "o"}}
    assert "uc" not in config.stores
    del config["stores"]["other"]
    with pytest.raises(ConfigError, match="No store is named 'other'"):
        config.get_store_spec()


def test_deleting_a_setting_restores_its_default(config: Config) -> None:
    config.display.limit = 5
    del config["display.limit"]
    assert config.display.limit == 12
    with pytest.raises(UnknownSettingError):
        del config["display.colour"]


def test_none_restores_a_default(config: Config) -> None:
    config.database.port = 6000
    config.database.port = None
    assert config.database.port == 5432


def test_an_override_ends_with_its_block(config: Config) -> None:
    with (
        config.override(safemode=False, display__limit=5, jobs={"keep_completed": True}) as inner,
        config.override(display__limit=6),
    ):
        assert inner is config
        assert config.settings.display.limit == 6
        assert config.safemode is False
        assert config.jobs.keep_completed is True
        assert config.jobs.auto_refresh is True
    assert config.settings == changed(config.settings, {"display": {"limit": 12}})
    assert config.safemode is True


def test_an_override_ends_with_an_error_too(config: Config) -> None:
    with pytest.raises(ZeroDivisionError), config.override(safemode=False):
        raise ZeroDivisionError
    assert config.safemode is True


def test_assigning_what_is_overridden_lasts_as_long_as_the_override(config: Config) -> None:
    with config.override(display={"limit": 5}):
        config.display.limit = 6
        config.safemode = False
        assert config.display.limit == 6
    assert config.display.limit == 12
    assert config.safemode is False


def test_other_threads_see_assignments_but_no_overrides(config: Config) -> None:
    seen: list[object] = []
    config.display.width = 20
    with config.override(display__limit=5):
        thread = Thread(target=lambda: seen.extend((config.display.limit, config.display.width)))
        thread.start()
        thread.join()
    assert seen == [12, 20]


def test_overrides_of_interleaved_tasks_do_not_mix(config: Config) -> None:
    async def task(limit: int) -> bool:
        with config.override(display__limit=limit):
            for _ in range(5):
                await asyncio.sleep(0)
                if config.display.limit != limit:
                    return False
            return True

    async def both() -> list[bool]:
        return list(await asyncio.gather(task(3), task(4)))

    assert asyncio.run(both()) == [True, True]


def test_clearing_reads_all_sources_again(tmp_path: Path) -> None:
    loads: list[int] = []

    def loader() -> Settings:
        loads.append(1)
        return Settings(home=tmp_path)

    config = Config(loader)
    assert not loads
    config.safemode = False
    assert len(loads) == 1
    config.clear()
    assert config.safemode is True
    assert len(loads) == 2


def test_a_template_loads_and_is_never_overwritten(tmp_path: Path) -> None:
    path = Config.save_template(tmp_path / "datajoint.json", create_secrets_dir=True)
    settings = djflow.configuration.load({}, tmp_path)
    assert settings.database.host == "localhost"
    assert settings.stores.default == "main"
    assert settings.database.user is None
    assert (tmp_path / ".secrets").stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigError, match="exists already"):
        Config.save_template(path)


def test_thread_safe_mode_closes_the_shared_configuration_only(
    config: Config, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DJ_THREAD_SAFE", "true")
    shared = Config(load_shared)
    with pytest.raises(ThreadSafetyError, match=r"dj\.Instance"):
        shared.database.host  # noqa: B018 - reading is the test
    with pytest.raises(ThreadSafetyError):
        shared["safemode"] = False
    with pytest.raises(ThreadSafetyError), shared.override(safemode=False):
        pytest.fail("the block ran")
    assert "thread-safe" in repr(shared)
    shared.save_template(tmp_path / "template.json")
    assert config.safemode is True


def test_importing_reads_no_file_and_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "datajoint.json").write_text("not JSON")
    code = (
        "import sys, djflow.configuration\n"
        "print(sorted({'polars', 'psycopg', 'pyarrow', 'numpy', 'zarr', 'sqlglot'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


def test_the_level_of_the_logger_is_the_setting_where_somebody_set_it(tmp_path: Path) -> None:
    logger = logging.getLogger("djflow")
    config = Config(lambda: Settings(home=tmp_path), apply_loglevel)
    before = logger.level
    try:
        logger.setLevel("ERROR")
        config.safemode = False
        assert logger.level == logging.ERROR
        config.loglevel = "debug"
        assert logger.level == logging.DEBUG
        with config.override(loglevel="CRITICAL"):
            assert logger.level == logging.DEBUG
        config.clear()
        config.safemode = False
        assert logger.level == logging.NOTSET
    finally:
        logger.setLevel(before)


def test_keyword_names_become_dotted() -> None:
    assert dotted({"stores__main__location": "/d"}) == {"stores.main.location": "/d"}


updates = st.fixed_dictionaries(
    {},
    optional={
        "database.host": st.sampled_from(["db", "::1", "/run/pg"]),
        "database.password": st.text(st.characters(exclude_characters="\0"), min_size=1).map(Secret),
        "database.use_tls": st.sampled_from([True, False, {"ssl": {"ca": "c"}}]),
        "database.options": st.dictionaries(st.sampled_from(["sslmode", "sslpassword"]), st.text(min_size=1)),
        "jobs.default_priority": st.integers(0, 255),
        "safemode": st.booleans(),
        "stores.default": st.sampled_from(["local", "main"]),
        "stores.main": st.fixed_dictionaries(
            {"protocol": st.just("s3")},
            optional={"bucket": st.text(), "secret_key": st.text(), "secure": st.booleans()},
        ),
        "home": st.sampled_from(["/a", "/b"]),
    },
)


@given(updates)
def test_settings_are_rebuilt_from_their_values(values: dict[str, object]) -> None:
    settings = changed(Settings(), values)
    assert changed(settings, {}) == settings
    assert changed(Settings(), values_of(settings)) == settings


@given(updates)
def test_changing_a_setting_changes_no_other(values: dict[str, object]) -> None:
    settings = changed(Settings(), values)
    after = values_of(changed(settings, {"display.limit": 99}))
    assert after == values_of(settings) | {"display.limit": 99}


def test_every_error_is_one_of_ours() -> None:
    assert issubclass(ConfigError, DjflowError)
    assert issubclass(ConfigError, ValueError)
