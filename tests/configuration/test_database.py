from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from djflow.configuration import DatabaseSettings, FrozenMapping, Secret, TlsFiles, parse_database_url
from djflow.errors import ConfigError

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
hosts = st.one_of(
    st.just("localhost"),
    st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True),
    st.ip_addresses().map(str),
    texts.map(lambda name: f"/{name}"),
)
option_names = st.sampled_from(["application_name", "sslmode", "sslpassword", "options"])
databases = st.builds(
    DatabaseSettings,
    host=hosts,
    port=st.integers(1, 65535),
    user=st.none() | texts,
    password=st.none() | texts.map(Secret),
    name=st.none() | texts,
)


@given(databases)
def test_libpq_reads_from_the_uri_what_the_settings_say(database: DatabaseSettings) -> None:
    read = conninfo_to_dict(database.conninfo().reveal())
    assert read == {
        name: value
        for name, value in {
            "host": database.host,
            "port": str(database.port),
            "user": database.user,
            "password": database.password.reveal() if database.password else None,
            "dbname": database.name or "postgres",
        }.items()
        if value is not None
    }


@given(databases, st.dictionaries(option_names, texts))
def test_a_uri_parses_back_to_its_settings(database: DatabaseSettings, options: dict[str, str]) -> None:
    written = replace(database, options=FrozenMapping(options))
    parsed = parse_database_url(written.conninfo().reveal())
    assert parsed.pop("options", {}) == options
    assert (parsed.pop("use_tls", "unset") is None) == ("sslmode" in options)
    expected = {"host": database.host, "port": database.port, "name": database.name or "postgres"}
    if database.user:
        expected["user"] = database.user
    if database.password:
        expected["password"] = database.password.reveal()
    assert parsed == expected


@pytest.mark.parametrize(
    ("use_tls", "parameters"),
    [
        (None, {}),
        (True, {"sslmode": "require"}),
        (False, {"sslmode": "disable"}),
        (TlsFiles(ca="ca.pem"), {"sslmode": "verify-full", "sslrootcert": "ca.pem"}),
        (TlsFiles(cert="c", key="k"), {"sslmode": "require", "sslcert": "c", "sslkey": "k"}),
    ],
)
def test_tls_becomes_parameters_of_libpq(
    *, use_tls: bool | TlsFiles | None, parameters: dict[str, str]
) -> None:
    read = conninfo_to_dict(DatabaseSettings(host="db", use_tls=use_tls).conninfo().reveal())
    assert read == {"host": "db", "port": "5432", "dbname": "postgres"} | parameters


def test_parameters_of_a_url_can_replace_its_parts() -> None:
    parsed = parse_database_url("postgres:///lab?host=/run/pg&user=ann&password=a+b&port=6000")
    assert parsed == {"host": "/run/pg", "port": 6000, "user": "ann", "password": "a+b", "name": "lab"}


def test_a_url_without_a_host_leaves_the_choice_to_libpq_and_is_still_a_server() -> None:
    host = parse_database_url("postgresql:///lab")["host"]
    assert host == ""
    database = DatabaseSettings(host="", name="lab")
    assert database.is_configured
    assert "host" not in conninfo_to_dict(database.conninfo().reveal())


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:hun/ter2@db/lab",
        "postgresql://ann:hunter2@x@db/lab",
        "postgresql://ann:hunter2@db:port/lab",
        "postgresql://ann:hunter2@one,two/lab",
        "hunter2",
        "mysql://ann:hunter2@db/lab",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_database_url(url)
    assert "ter2" not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_only_a_host_or_a_login_asks_for_a_server() -> None:
    assert not DatabaseSettings(name="lab", port=6000).is_configured
    assert DatabaseSettings(user="ann").is_configured
    assert DatabaseSettings(user="ann").describe() == "ann@localhost:5432/postgres"
    assert DatabaseSettings(host="::1").describe() == "[::1]:5432/postgres"
