"""The files of a project: `pyproject.toml`, `datajoint.json`, `djflow.toml`."""

from collections.abc import Callable
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from djflow.configuration import Config, Secret, Settings, find_config_file, find_config_files, load
from djflow.errors import ConfigError, CredentialsWarning

Loader = Callable[..., Settings]
WriteJson = Callable[[object], Path]
WriteSecret = Callable[[str, str], None]
Write = Callable[[str, str], Path]


@pytest.fixture
def write(project: Path) -> Write:
    def write_file(name: str, text: str) -> Path:
        path = project / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def test_of_several_files_the_strongest_wins_setting_by_setting(
    load_project: Loader, write: Write, write_json: WriteJson, write_secret: WriteSecret
) -> None:
    write("pyproject.toml", '[tool.djflow]\ndatabase = {host = "py", user = "py", name = "py", port = 1}')
    write_json({"database": {"host": "json", "user": "json", "name": "json"}})
    write("djflow.toml", '[database]\nhost = "toml"\nuser = "toml"')
    write_secret("database.user", "secret")
    database = load_project(DJ_DATABASE_NAME="variable").database
    assert (database.port, database.name, database.host, database.user) == (1, "variable", "toml", "secret")
    assert load_project().database.name == "json"


def test_the_nearest_folder_with_a_file_is_the_project(project: Path, write: Write) -> None:
    above = project.parent / "djflow.toml"
    above.write_text("safemode = false\ndisplay.limit = 5")
    deep = project / "a" / "b"
    deep.mkdir(parents=True)
    unconcerned = write("pyproject.toml", '[project]\nname = "lab"\ndependencies = ["djflow"]')
    assert find_config_files(deep) == (above,)
    unconcerned.write_text("no TOML at all, and none of our business")
    assert find_config_file(deep) == above
    own = write("pyproject.toml", "[tool.djflow]\nsafemode = true")
    assert find_config_files(deep) == (own,)
    assert load({}, deep).display.limit == 12


def test_every_value_tells_where_it_was_given(
    project: Path, load_project: Loader, write: Write, write_secret: WriteSecret
) -> None:
    text = '[tool.djflow.display]\nlimit = 5\n[tool.djflow.stores.main]\nprotocol = "file"\nlocation = "/d"'
    write("pyproject.toml", text)
    write_secret("database.password", "hunter2")
    config = Config(lambda: load_project(DJ_USER="ann", DATABASE_URL="postgresql://db/lab"))
    config.safemode = False
    config["database.port"] = 6000
    del config["database.port"]
    with config.override(display__width=20):
        given = {name: source for name, source in config.sources().items() if source != "default"}
    assert {name: source.replace(str(project), "HERE") for name, source in given.items()} == snapshot(
        {
            "database.host": "the environment variable DATABASE_URL",
            "database.user": "the environment variable DJ_USER",
            "database.password": "HERE/.secrets/database.password",
            "database.name": "the environment variable DATABASE_URL",
            "display.limit": "HERE/pyproject.toml [tool.djflow]",
            "display.width": "an override",
            "safemode": "an assignment",
            "stores.main.protocol": "HERE/pyproject.toml [tool.djflow]",
            "stores.main.location": "HERE/pyproject.toml [tool.djflow]",
        }
    )
    assert config.sources()["display.width"] == config.sources()["stores.local.location"] == "default"
    assert config.sources().keys() >= {"home", "stores.main.token_length"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "djflow.toml",
            "[database]\nhost = db",
            snapshot("Not TOML: FILE, line 2, column 8 (Invalid value)."),
        ),
        (
            "djflow.toml",
            "limit = 5",
            snapshot("There is no setting 'limit', which FILE gives. Did you mean 'display.limit'?"),
        ),
        (
            "djflow.toml",
            "display.limit = 1979-05-27",
            snapshot(
                "Setting 'display.limit' must be an integer of at least 1, got a date. It comes from FILE."
            ),
        ),
        (
            "pyproject.toml",
            "[tool.djflow]\ndatabase.prot = 1",
            snapshot(
                "There is no setting 'database.prot', which FILE [tool.djflow] gives. "
                "Did you mean 'database.port'?"
            ),
        ),
        ("pyproject.toml", "[tool]\ndjflow = 1", snapshot("[tool.djflow] in FILE must be a table.")),
        (
            "pyproject.toml",
            "[tool.djflow]\n[tool.djflow]",
            snapshot("Not TOML: FILE, line 2, column 13 (Cannot declare ('tool', 'djflow') twice)."),
        ),
    ],
)
def test_a_mistake_in_a_toml_file_is_told_with_its_place(
    load_project: Loader, write: Write, name: str, text: str, message: str
) -> None:
    path = write(name, text)
    with pytest.raises(ConfigError) as caught:
        load_project()
    assert str(caught.value).replace(str(path), "FILE") == message
    assert caught.value.source.startswith(str(path))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('database.password = "hunter2"', "database.password"),
        ('database.options = {sslpassword = "hunter2"}', "database.options"),
        ('stores.main.secret_key = "hunter2"', "stores.main.secret_key"),
        ('stores.main.endpoint = "https://me:hunter2@s3.lab.org"', "stores.main.endpoint"),
        ('stores.main.client_kwargs = {headers = [{token = "hunter2"}]}', "stores.main.client_kwargs"),
    ],
)
@pytest.mark.parametrize(("name", "head"), [("djflow.toml", ""), ("pyproject.toml", "[tool.djflow]\n")])
def test_credentials_are_refused_in_files_for_version_control(
    load_project: Loader, write: Write, name: str, head: str, text: str, key: str
) -> None:
    write(name, head + text)
    with pytest.raises(ConfigError, match=r"must not stand in .* Move it into the file \.secrets/") as caught:
        load_project()
    assert caught.value.key == key
    assert "hunter2" not in f"{caught.value}{vars(caught.value)}"


def test_a_name_left_empty_for_a_credential_is_none(load_project: Loader, write: Write) -> None:
    write("djflow.toml", 'database.password = ""')
    assert not load_project().database.password


def test_credentials_in_the_file_of_datajoint_are_warned_about_and_used(
    load_project: Loader, write_json: WriteJson
) -> None:
    write_json({"database.password": "hunter2"})
    with pytest.warns(CredentialsWarning, match=r"\.secrets/database\.password") as warned:
        assert load_project().database.password == Secret("hunter2")
    assert "hunter2" not in str(warned[0].message)


def test_a_template_in_toml_says_what_the_one_in_json_says(tmp_path: Path) -> None:
    read = []
    for name in ("djflow.toml", "datajoint.json"):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        Config.save_template(folder / name)
        read.append(load({"DJFLOW_HOME": str(tmp_path)}, folder))
    assert read[0] == read[1]


def test_a_misspelt_setting_of_a_folder_is_refused(load_project: Loader, write: Write) -> None:
    write("djflow.toml", '[stores.main]\nprotocol = "file"\nlocation = "/d"\nhash_prefx = "h"\nnote = "x"')
    stores = load_project().stores
    with pytest.raises(ConfigError, match=r"^Store 'main' has no setting 'hash_prefx'. Did you mean 'hash_p"):
        stores.named("main")
