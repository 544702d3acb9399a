import json
import pickle
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from pprint import pformat
from traceback import format_exception

import pytest

from djflow.configuration import Config, Secret, Settings, load
from djflow.errors import ConfigError, UnknownSettingError

SECRET = "hunter2"
ENVIRON = {
    "DATABASE_URL": f"postgresql://ann@db/lab?sslpassword={SECRET}",
    "DJ_PASS": SECRET,
    "DJ_STORES": json.dumps(
        {
            "default": "main",
            "main": {
                "protocol": "s3",
                "location": "x",
                "bucket": "b",
                "access_key": SECRET,
                "secret_key": SECRET,
                "endpoint": f"https://me:{SECRET}@s3.lab.org",
                "client_kwargs": {"aws_session_token": SECRET, "headers": [{"password": SECRET}]},
            },
        }
    ),
}


@pytest.fixture
def settings(project: Path, write_secret: Callable[[str, str], None]) -> Settings:
    write_secret("stores.main.unusual", SECRET)
    return load(ENVIRON, project)


def faces(value: object) -> Iterator[str]:
    yield repr(value)
    yield str(value)
    yield f"{value}"
    yield pformat(value)


def test_no_face_of_settings_shows_a_secret(settings: Settings) -> None:
    config = Config(lambda: settings)
    subjects = [
        settings,
        settings.database,
        settings.database.conninfo(),
        settings.database.describe(),
        settings.stores.named(),
        settings.stores.named().spec(),
        asdict(settings),
        config,
        config.database,
        config.stores,
        config["stores"]["main"],
        config.get_store_spec(),
        dict(config["stores.main"]),
        config["database.password"],
    ]
    subjects += [pickle.loads(pickle.dumps(subject)) for subject in (settings, settings.stores)]  # noqa: S301
    for subject in subjects:
        for shown in faces(subject):
            assert SECRET not in shown


def test_settings_survive_pickling_with_their_secrets(settings: Settings) -> None:
    again = pickle.loads(pickle.dumps(settings))  # noqa: S301
    assert again == settings
    assert hash(again) == hash(settings)
    assert SECRET in again.database.conninfo().reveal()
    assert again.stores.named().revealed()["unusual"] == SECRET
    assert again.stores.named().revealed()["client_kwargs"] == {
        "aws_session_token": SECRET,
        "headers": [{"password": SECRET}],
    }


@pytest.mark.parametrize(
    "environ",
    [
        {"DATABASE_URL": f"postgresql://ann:{SECRET}/x@db/lab"},
        {"DATABASE_URL": f"postgresql://ann:{SECRET}@db:x/lab"},
        {"DJ_PASS": f"{SECRET}\0"},
        {"DJ_HOST": f"postgresql://ann:{SECRET}@db"},
        {"DJ_STORES": f'{{"main": {{"secret_key": "{SECRET}" "x"}}}}'},
        {"DJ_STORES": f'{{"main": ["{SECRET}"]}}'},
        {"DJ_STORES": json.dumps({"main": {"token_length": 3, "token": SECRET}})},
        {"DJ_STORES": json.dumps({"main": {"location": {"secret_key": SECRET}}})},
    ],
)
def test_no_error_shows_a_secret(environ: dict[str, str], project: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(environ, project)
    for shown in (
        *faces(caught.value),
        *format_exception(caught.value, chain=True),
        repr(vars(caught.value)),
    ):
        assert SECRET not in shown


@pytest.mark.parametrize("name", ["database.port", "database.use_tls", "stores.main.subfolding"])
def test_what_stands_in_a_file_of_secrets_is_never_quoted(
    name: str, project: Path, write_secret: Callable[[str, str], None]
) -> None:
    write_secret(name, SECRET)
    with pytest.raises(ConfigError, match=r"got \*\*\*") as caught:
        load({"DJ_STORES": '{"main": {"protocol": "file"}}'}, project)
    assert SECRET not in repr(caught.value)


def test_a_secret_cannot_slip_into_json() -> None:
    with pytest.raises(TypeError, match="Secret is not JSON serializable"):
        json.dumps({"password": Secret(SECRET)})


def test_a_secret_is_true_unless_empty_and_equals_only_a_secret() -> None:
    assert Secret(SECRET)
    assert not Secret("")
    assert Secret(SECRET) == Secret(SECRET)
    assert Secret(SECRET) != SECRET
    assert len({Secret(SECRET), Secret(SECRET)}) == 1


def test_errors_about_settings_survive_pickling() -> None:
    unknown = UnknownSettingError("database.hst", ["database.host"])
    wrong = ConfigError("wrong", key="a.b", source="here", line=3, column=4)
    for error in (unknown, wrong):
        again = pickle.loads(pickle.dumps(error))  # noqa: S301
        assert (str(again), vars(again)) == (str(error), vars(error))
