"""Instances: each has a configuration and a database of its own; nothing is shared without being asked."""

import gc
import json
import pickle
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import djflow as dj
from djflow.errors import ConfigError, ConnectionFailedError, InvalidArgumentError, QueryError
from djflow.sql.ddl import drop_schema

Make = Callable[..., dj.Instance]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder; neither files above it nor variables of this computer count."""
    for variable in ("DATABASE_URL", "DJ_HOST", "DJ_USER", "DJ_PASS", "DJ_PORT", "DJ_IGNORE_CONFIG_FILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("DJFLOW_HOME", str(tmp_path / "home"))
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "datajoint.json").write_text("{}")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def make(project: Path, server_url: str, tmp_path: Path) -> Iterator[Make]:
    """Instances on the tests' server, closed afterwards."""
    assert project
    made: list[dj.Instance] = []

    def made_here(**overrides: Any) -> dj.Instance:
        stores = {"default": "local", "local": {"protocol": "file", "location": str(tmp_path / "store")}}
        made.append(dj.Instance(**{"url": server_url, "stores": stores, **overrides}))
        return made[-1]

    yield made_here
    for instance in made:
        instance.close()


def declared(schema: Any) -> Any:
    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        name = '' : varchar(20)
        """

    return Subject()


# configuration


def test_arguments_are_settings_of_the_instance_alone(project: Path) -> None:
    assert project
    instance = dj.Instance(
        "db.lab.org", "ann", "secret", 5433, use_tls=True, safemode=False, jobs__stale_timeout=5
    )
    database = instance.config.settings.database
    assert (database.host, database.user, database.port, database.use_tls) == (
        "db.lab.org",
        "ann",
        5433,
        True,
    )
    assert database.password is not None
    assert database.password.reveal() == "secret"
    assert (instance.config.safemode, instance.config.jobs.stale_timeout) == (False, 5)
    assert instance.connection.settings is instance.config.settings


def test_instances_do_not_share_settings(project: Path) -> None:
    assert project
    one, two = dj.Instance(), dj.Instance()
    one.config.safemode = False
    one.config["display.limit"] = 3
    with two.config.override(display__width=5):
        assert (one.config.safemode, two.config.safemode) == (False, True)
        assert (one.config.display.limit, two.config.display.limit) == (3, 12)
        assert (one.config.display.width, two.config.display.width) == (14, 5)
        assert two.connection.settings.display.width == 5
    assert one.connection.settings.display.limit == 3


def test_what_is_not_given_comes_from_files_and_the_environment(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "datajoint.json").write_text(
        json.dumps({"database": {"port": 5433, "host": "db.lab.org"}, "safemode": False})
    )
    monkeypatch.setenv("DJ_USER", "ann")
    monkeypatch.setenv("DJ_PASS", "secret")
    assert repr(dj.Instance()) == "Instance(ann@db.lab.org:5433/postgres)"
    assert repr(dj.Instance(port=1)) == "Instance(ann@db.lab.org:1/postgres)"
    assert not dj.Instance().config.safemode
    assert dj.Instance(safemode=True).config.safemode
    assert dj.Instance("db.lab.org").config.settings.database.password


@pytest.mark.parametrize(
    "other",
    [
        {"host": "db.elsewhere.org"},
        {"user": "bob"},
        {"url": "postgresql://db.elsewhere.org/lab"},
        {"database__host": ""},
    ],
)
def test_a_configured_password_goes_to_nobody_else(
    other: dict[str, str], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project
    monkeypatch.setenv("DATABASE_URL", "postgresql://ann:secret@db.lab.org/lab")
    assert dj.Instance().config.settings.database.password
    assert dj.Instance(**other).config.settings.database.password is None  # type: ignore[arg-type]


def test_without_a_server_it_is_the_embedded_one(project: Path, tmp_path: Path) -> None:
    assert project
    assert repr(dj.Instance()) == f"Instance(the embedded server of {tmp_path / 'home'})"
    other = dj.Instance(home=tmp_path / "elsewhere")
    assert repr(other) == f"Instance(the embedded server of {tmp_path / 'elsewhere'})"
    assert not (tmp_path / "elsewhere").exists()


def test_clearing_the_settings_keeps_what_was_given(project: Path) -> None:
    instance = dj.Instance("db.lab.org", safemode=False)
    instance.config.safemode = True
    (project / "datajoint.json").write_text(json.dumps({"display": {"limit": 3}}))
    instance.config.clear()
    assert (instance.config.safemode, instance.config.display.limit) == (False, 3)
    assert instance.config.database.host == "db.lab.org"


def test_mistakes_are_told_when_it_is_made(project: Path) -> None:
    assert project
    with pytest.raises(
        ConfigError, match=r"no setting 'safe_mode', which dj.Instance\(...\) gives.*'safemode'"
    ):
        dj.Instance(safe_mode=False)
    with pytest.raises(ConfigError, match="djflow speaks PostgreSQL only"):
        dj.Instance("db.lab.org", "root", "secret", backend="mysql")
    with pytest.raises(ConfigError, match=r"database\.port"):
        dj.Instance("db.lab.org", port="many")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="PostgreSQL only"):
        dj.Instance(url="mysql://ann:secret@db.lab.org")
    with pytest.raises(InvalidArgumentError, match="url says host and user already"):
        dj.Instance("db.lab.org", "ann", url="postgresql://db.lab.org")
    assert dj.Instance(backend="postgresql").config.database.backend == "postgresql"


def test_no_secret_is_shown(project: Path) -> None:
    assert project
    instance = dj.Instance("db.lab.org", "ann", "tr0ub4dor", stores__main={"secret_key": "tr0ub4dor"})
    shown = [repr(instance), str(instance), repr(instance.config), repr(instance.connection), f"{instance}"]
    shown += [repr(vars(instance)), repr(instance.config.database)]
    assert not [text for text in shown if "tr0ub4dor" in text]
    with pytest.raises(ConfigError) as refused:
        dj.Instance(url="postgresql://ann:tr0ub4dor@db:lab:org/x")
    assert "tr0ub4dor" not in str(refused.value)
    with pytest.raises(ConnectionFailedError) as failed:
        dj.Instance("127.0.0.1", "ann", "tr0ub4dor", port=1).connection.connect()
    assert "tr0ub4dor" not in str(failed.value)


# tables


def test_it_makes_schemas_free_tables_and_virtual_schemas(make: Make, schema_name: str) -> None:
    instance = make()
    subject = declared(instance.Schema(schema_name))
    subject.insert1({"subject": 1})
    assert subject.connection is instance.connection
    for name in (f"`{schema_name}`.`subject`", f"{schema_name}.subject"):
        assert instance.FreeTable(name).to_dicts() == [{"subject": 1, "name": ""}]
        assert instance.FreeTable(name).connection is instance.connection
    assert len(instance.virtual_schema(schema_name).Subject & subject.proj()) == 1
    assert instance.virtual_schema(schema_name, add_objects={"x": 1}).x == 1


def test_definitions_see_the_objects_that_are_added(make: Make, schema_name: str) -> None:
    instance = make()
    subject = declared(instance.Schema(schema_name))

    class Session(dj.Manual):
        definition = """
        -> Animal
        session : int32
        """

    instance.Schema(schema_name, add_objects={"Animal": type(subject)})(Session)
    assert Session().heading.names == ("subject", "session")


def test_a_schema_reads_the_settings_of_its_instance(make: Make, schema_name: str) -> None:
    closed = make(database__create_tables=False)
    with pytest.raises(dj.errors.MissingTableError, match="create_tables is False"):
        len(declared(closed.Schema(schema_name)))
    instance = make(display__limit=1)
    subject = declared(instance.Schema(schema_name))
    subject.insert([(1, "ann"), (2, "bob")])
    assert "bob" not in subject.preview()
    with instance.config.override(display__limit=2):
        assert "bob" in subject.preview()


def test_two_databases_are_used_side_by_side(make: Make, schema_name: str, empty_url: str) -> None:
    there = conninfo_to_dict(empty_url)
    other = make(
        url=f"postgresql:///{there['dbname']}?host={quote(str(there['host']))}&port={there['port']}&user={there['user']}"
    )
    here = declared(make().Schema(schema_name))
    elsewhere = declared(other.Schema(schema_name))
    here.insert([(1, "here"), (2, "here")])
    elsewhere.insert([(2, "there"), (3, "there")])
    with here.connection.transaction, pytest.raises(ZeroDivisionError), elsewhere.connection.transaction:  # noqa: PT012 - the block is the transaction
        here.insert1((4, "here"))
        elsewhere.insert1((4, "there"))
        _ = 1 / 0
    assert here.to_arrays("subject").tolist() == [1, 2, 4]
    assert elsewhere.to_arrays("subject").tolist() == [2, 3]
    assert (here & elsewhere.to_polars().select("subject")).to_dicts() == [{"subject": 2, "name": "here"}]
    with pytest.raises(QueryError, match="different databases"):
        _ = here & elsewhere
    here.insert((elsewhere & "subject = 3").to_arrow())
    assert len(here) == 4


def test_leaving_the_block_closes_its_connections(make: Make, connection: psycopg.Connection[Any]) -> None:
    with make() as instance:
        [(pid,)] = instance.connection.query("SELECT pg_backend_pid()")
        assert connection.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchall()
    assert is_gone(connection, pid)
    [(again,)] = instance.connection.query("SELECT pg_backend_pid()")
    assert again != pid


def test_an_instance_that_nobody_needs_any_more_leaves_no_connection(
    make: Make, schema_name: str, server_url: str, connection: psycopg.Connection[Any]
) -> None:
    def request() -> tuple[int, "weakref.ref[Any]"]:
        instance = dj.Instance(url=server_url)
        subject = declared(instance.Schema(schema_name))
        assert len(subject) == 0
        [(pid,)] = instance.connection.query("SELECT pg_backend_pid()")
        return pid, weakref.ref(instance.connection)

    assert make()
    pid, database = request()
    gc.collect()
    assert database() is None
    assert is_gone(connection, pid)
    connection.execute(drop_schema(schema_name).encode())


def is_gone(connection: psycopg.Connection[Any], pid: int) -> bool:
    for _ in range(100):
        if not connection.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchall():
            return True
        connection.execute("SELECT pg_sleep(0.05)")
    return False


def test_pickling_an_instance_is_refused_with_what_to_do(project: Path) -> None:
    assert project
    with pytest.raises(TypeError, match="Pickle its queries"):
        pickle.dumps(dj.Instance())


# thread-safe mode

_FORBIDDEN = (
    "dj.config.safemode",
    "dj.config['safemode']",
    "dj.config.safemode = False",
    "dj.config['safemode'] = False",
    "del dj.config['safemode']",
    "list(dj.config)",
    "dj.config.settings",
    "dj.config.get_store_spec()",
    "dj.config.override(safemode=False).__enter__()",
    "dj.config.clear()",
    "dj.conn()",
    "dj.Schema('lab')",
    "dj.Schema()",
    "dj.FreeTable('lab.subject')",
    "dj.virtual_schema('lab')",
    "dj.VirtualModule('lab', 'lab')",
)
_ALLOWED = """
import djflow as dj
dj.config.save_template("template.json")
assert repr(dj.config) == "dj.config is closed in thread-safe mode"
with dj.Instance(url={url!r}, safemode=False) as instance:
    instance.config.display.limit = 3
    schema = instance.Schema({schema!r})
    dj.Schema({schema!r}, connection=instance.connection)
    @schema
    class Subject(dj.Manual):
        definition = "subject : int32"
    Subject.insert1((1,))
    assert len(Subject & "subject = 1") == 1
    assert len(instance.FreeTable({name!r})) == 1
    assert len(dj.FreeTable(instance.connection, {name!r})) == 1
    assert len(instance.virtual_schema({schema!r}).Subject()) == 1
"""


def run(program: str, folder: Path, value: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "DJ_THREAD_SAFE": value,
        "DJ_IGNORE_CONFIG_FILE": "true",
        "DJFLOW_HOME": str(folder / "home"),
    }
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_thread_safe_mode_closes_whatever_is_shared(tmp_path: Path) -> None:
    program = ["import djflow as dj", "from djflow.errors import ThreadSafetyError", "open_doors = []"]
    for statement in _FORBIDDEN:
        program += ["try:", f"    {statement}", "except ThreadSafetyError as error:"]
        program += [
            "    assert 'dj.Instance' in str(error)",
            "else:",
            f"    open_doors.append({statement!r})",
        ]
    program += [
        "assert not open_doors, open_doors",
        "assert issubclass(ThreadSafetyError, dj.DataJointError)",
    ]
    for value in ("true", "1", "YES"):
        done = run("\n".join(program), tmp_path, value)
        assert (done.returncode, done.stderr) == (0, "")


def test_thread_safe_mode_leaves_instances_alone(tmp_path: Path, server_url: str, schema_name: str) -> None:
    program = _ALLOWED.format(url=server_url, schema=schema_name, name=f"{schema_name}.subject")
    done = run(program, tmp_path, "true")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("value", ["false", "0", "no", ""])
def test_thread_safe_mode_is_off_unless_asked_for(tmp_path: Path, value: str) -> None:
    done = run("import djflow as dj; dj.config.safemode; dj.conn(); dj.Schema('lab')", tmp_path, value)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_word_that_is_neither_yes_nor_no_is_refused(tmp_path: Path) -> None:
    done = run("import djflow as dj; dj.conn()", tmp_path, "maybe")
    assert "ConfigError" in done.stderr
    assert "DJ_THREAD_SAFE" in done.stderr


def test_an_instance_uses_the_database_of_the_embedded_server_that_it_names(
    project: Path, server_url: str, server_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project
    monkeypatch.setenv("DJFLOW_HOME", str(server_home))
    name = f"test_{uuid4().hex[:12]}"
    with dj.Instance(database__name=name) as lab, dj.Instance() as other:
        assert repr(lab) == f"Instance(the database {name!r} of the embedded server of {server_home})"
        declared(lab.Schema("lab")).insert1((1, "ann"))
        assert lab.connection.query("SELECT current_database()").fetchall() == [(name,)]
        assert other.connection.query("SELECT current_database()").fetchall() == [("djflow",)]
        assert lab.FreeTable("lab.subject").to_polars()["name"].to_list() == ["ann"]
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())
