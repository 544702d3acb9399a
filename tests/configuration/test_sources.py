from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from djflow.configuration import Secret, Settings, TlsFiles, find_config_file, find_secrets_dir, load
from djflow.errors import ConfigError, ConfigWarning

Loader = Callable[..., Settings]
WriteJson = Callable[[object], Path]
WriteSecret = Callable[[str, str], None]


def test_without_any_source_the_embedded_server_and_the_local_store_are_meant(
    load_project: Loader, tmp_path: Path
) -> None:
    settings = load_project(DJFLOW_HOME=str(tmp_path / "home"))
    assert not settings.database.is_configured
    assert settings.home == tmp_path / "home"
    assert settings.stores.named().name == "local"
    assert settings.stores.named().location == str(tmp_path / "home" / "store")
    assert settings.stores.filepath_default is None


def test_nested_and_dotted_names_in_a_file_mean_the_same(load_project: Loader, write_json: WriteJson) -> None:
    write_json(
        {
            "database.host": "db",
            "stores.default": "main",
            "stores.main.protocol": "file",
            "stores": {"main.location": "/data"},
            "jobs.version": "git",
        }
    )
    dotted = load_project()
    write_json(
        {
            "database": {"host": "db"},
            "stores": {"default": "main", "main": {"protocol": "file", "location": "/data"}},
            "jobs": {"version_method": "git"},
        }
    )
    assert load_project() == dotted
    assert dotted.stores.named().location == "/data"


def test_the_environment_wins_over_secrets_and_secrets_over_the_file(
    load_project: Loader, write_json: WriteJson, write_secret: WriteSecret
) -> None:
    write_json({"database": {"host": "file", "user": "file", "name": "file"}})
    write_secret("database.user", "secret\n")
    write_secret("database.name", "secret\n")
    database = load_project(DJ_DATABASE_NAME="variable").database
    assert (database.host, database.user, database.name) == ("file", "secret", "variable")


def test_a_file_of_secrets_may_hold_several_and_single_files_win_over_it(
    load_project: Loader, write_secret: WriteSecret
) -> None:
    write_secret("datajoint.json", '{"database.user": "together", "database.password": "together"}')
    write_secret("database.user", "single")
    database = load_project().database
    assert (database.user, database.password) == ("single", Secret("together"))


def test_strange_files_among_the_secrets_are_left_alone(
    load_project: Loader, write_secret: WriteSecret
) -> None:
    for name in (".gitignore", "readme.txt", "datajoint.dev.json", "database.user~"):
        write_secret(name, "*")
    write_secret("database.password", "")
    assert not load_project().database.is_configured


def test_a_misspelt_secret_is_refused_without_its_content(
    load_project: Loader, write_secret: WriteSecret
) -> None:
    write_secret("database.pasword", "hunter2")
    with pytest.raises(ConfigError, match=r"Did you mean 'database\.password'") as caught:
        load_project()
    assert "hunter2" not in str(caught.value)


def test_the_stores_variable_replaces_the_files_block_and_secrets_fill_what_it_omits(
    load_project: Loader, write_json: WriteJson, write_secret: WriteSecret
) -> None:
    write_json({"stores": {"default": "old", "old": {"protocol": "file", "location": "/old"}}})
    write_secret("stores.main.access_key", "from a file")
    write_secret("stores.main.secret_key", "from a file")
    write_secret("stores.old.token", "for a store that is gone")
    stores = load_project(
        DJ_STORES='{"default": "main", "main": {"protocol": "s3", "location": "x", "bucket": "b",'
        ' "secret_key": "given", "secure": false}}',
        DJ_STORES__MAIN__ENDPOINT="s3.lab.org",
    ).stores
    assert sorted(stores.by_name) == ["local", "main"]
    assert stores.named().revealed() == snapshot(
        {
            "protocol": "s3",
            "location": "x",
            "hash_prefix": "_hash",
            "schema_prefix": "_schema",
            "filepath_prefix": None,
            "subfolding": [],
            "partition_pattern": None,
            "token_length": 8,
            "bucket": "b",
            "access_key": "from a file",
            "secret_key": "given",
            "secure": False,
            "endpoint": "s3.lab.org",
        }
    )


def test_the_parts_of_a_url_win_over_the_file_and_single_variables_over_the_url(
    load_project: Loader, write_json: WriteJson
) -> None:
    write_json({"database": {"host": "file", "port": 1, "user": "file", "name": "file", "use_tls": False}})
    url = "postgresql://ann:p%40ss@url/lab?sslmode=verify-full&application_name=rig"
    from_url = load_project(DATABASE_URL=url).database
    assert from_url.conninfo().reveal() == snapshot(
        "postgresql://ann:p%40ss@url:5432/lab?sslmode=verify-full&application_name=rig"
    )
    both = load_project(DATABASE_URL=url, DJ_HOST="variable", DJ_USE_TLS="true").database
    assert both.conninfo().reveal() == snapshot(
        "postgresql://ann:p%40ss@variable:5432/lab?sslmode=require&application_name=rig"
    )


def test_a_file_is_found_in_a_folder_above(write_json: WriteJson, project: Path) -> None:
    path = write_json({"safemode": False})
    deep = project / "a" / "b"
    deep.mkdir(parents=True)
    assert find_config_file(deep) == path
    assert load({}, deep).safemode is False


def test_files_can_be_ignored_altogether(
    load_project: Loader, write_json: WriteJson, write_secret: WriteSecret
) -> None:
    write_json("not JSON")
    write_secret("database.password", "hunter2")
    settings = load_project(DJ_IGNORE_CONFIG_FILE="true", DJ_HOST="db")
    assert settings.database.host == "db"
    assert settings.database.password is None


def test_secrets_of_the_system_serve_where_the_project_has_none(tmp_path: Path, project: Path) -> None:
    system = tmp_path / "system"
    system.mkdir()
    (system / "database.password").write_text("mounted")
    assert find_secrets_dir(None, start=project, system=system) == system
    assert load({}, project, system_secrets=system).database.password == Secret("mounted")


def test_a_variable_that_is_probably_misspelt_is_warned_about(load_project: Loader) -> None:
    with pytest.warns(
        ConfigWarning, match=r"variable DJ_HOTS sets nothing\. Did you mean DJ_HOST\?$"
    ) as warned:
        assert not load_project(DJ_HOTS="hunter2", DJ_STORES__A__LOCATION="/d").database.is_configured
    assert len(warned) == 1


def test_an_empty_variable_sets_nothing(load_project: Loader) -> None:
    assert load_project(DJ_HOST="", DJ_PASS="", DATABASE_URL="", DJ_STORES="") == load_project()


def test_null_means_the_default(load_project: Loader, write_json: WriteJson) -> None:
    write_json({"database": {"port": None, "use_tls": None}, "stores": None, "display.limit": None})
    assert load_project() == load_project(DJ_IGNORE_CONFIG_FILE="1")


def test_settings_without_meaning_here_are_passed_over(load_project: Loader, write_json: WriteJson) -> None:
    write_json({"connection": {"charset": "utf8", "init_function": None}, "_remark": "x", "$schema": "y"})
    load_project()


def test_tls_files_ask_for_full_verification(load_project: Loader, write_json: WriteJson) -> None:
    write_json({"database": {"host": "db", "use_tls": {"ssl": {"ca": "/etc/ca.pem"}}}})
    database = load_project().database
    assert database.use_tls == TlsFiles(ca="/etc/ca.pem")
    assert database.conninfo().reveal() == snapshot(
        "postgresql://db:5432/postgres?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem"
    )


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"databse": {"host": "db"}},
            snapshot("There is no setting 'databse', which FILE gives. Did you mean 'database'?"),
        ),
        (
            {"database": {"hots": "db"}},
            snapshot("There is no setting 'database.hots', which FILE gives. Did you mean 'database.host'?"),
        ),
        (
            {"database": {"port": "many"}},
            snapshot(
                "Setting 'database.port' must be an integer from 1 to 65535, got 'many'. It comes from FILE."
            ),
        ),
        (
            {"database.port": True},
            snapshot(
                "Setting 'database.port' must be an integer from 1 to 65535, got True. It comes from FILE."
            ),
        ),
        (
            {"database": "db"},
            snapshot("Setting 'database' must be an object of settings, got 'db'. It comes from FILE."),
        ),
        (
            {"stores": {"main": {"subfolding": "2,2"}}},
            snapshot(
                "Setting 'stores.main.subfolding' must be a list of positive integers such as [2, 2], "
                "got '2,2'. It comes from FILE."
            ),
        ),
        (
            {"database": {"user": ["hunter2"]}},
            snapshot("Setting 'database.user' must be a text, got a list. It comes from FILE."),
        ),
        (
            '{\n  "safemode": true // no\n}',
            snapshot("Not JSON: FILE, line 2, column 20 (Expecting ',' delimiter)."),
        ),
        ("[]", snapshot("A JSON object must stand in FILE, not a list.")),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_place(
    load_project: Loader, write_json: WriteJson, document: object, message: str
) -> None:
    path = write_json(document)
    with pytest.raises(ConfigError) as caught:
        load_project()
    assert str(caught.value).replace(str(path), "FILE") == message
    assert caught.value.source == str(path)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"DJ_BACKEND": "mysql"},
            snapshot(
                "Setting 'database.backend' must be postgresql (djflow speaks PostgreSQL only), got 'mysql'. "
                "It comes from the environment variable DJ_BACKEND."
            ),
        ),
        (
            {"DATABASE_URL": "mysql://root:hunter2@db/lab"},
            snapshot(
                "djflow speaks PostgreSQL only, but the environment variable DATABASE_URL begins with "
                "mysql://. Give it a postgresql:// URL or unset it."
            ),
        ),
        (
            {"DJ_STORES": '{"default": hunter2}'},
            snapshot("Not JSON: the environment variable DJ_STORES, line 1, column 13 (Expecting value)."),
        ),
        (
            {"DJ_HOST": "postgresql://root:hunter2@db/lab"},
            snapshot(
                "Setting 'database.host' must be one host name, address or socket folder "
                "(put a URL in DATABASE_URL), got ***. It comes from the environment variable DJ_HOST."
            ),
        ),
    ],
)
def test_a_mistake_in_the_environment_names_its_variable(
    load_project: Loader, environ: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_project(**environ)
    assert str(caught.value) == message


def test_a_file_that_is_not_text_is_told_by_its_path(load_project: Loader, project: Path) -> None:
    (project / "datajoint.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(ConfigError, match=r"datajoint\.json is not UTF-8 text"):
        load_project()
