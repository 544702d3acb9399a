"""What commands print and leave behind, with one schema each."""

import importlib
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import djflow as dj
from djflow.errors import InvalidArgumentError

# The fixture `lab` is typed by its members: tests are no package from which its class could be imported.
Lab = Any


def entered(lab: Lab) -> Any:
    """The module with two rows that have objects."""
    module = importlib.import_module(lab.module)
    module.Trace().insert(
        [
            (1, "2024-05-06 10:00:00", "1.50", b"\0\xff", 'a,"b"\nc', np.arange(3)),
            (2, "2024-05-07 10:00:00.5", "20.00", b"", None, np.arange(5)),
        ]
    )
    return module


def test_tables_are_filled_watched_over_and_tried_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = lab.run("populate", lab.module)
    assert (code, "Half" in out) == (1, True)

    tables = {row["table"]: row for row in lab.document("status", "--module", lab.module)}
    half = tables[f"{lab.schema}.Half"]
    assert (half["rows"], half["is_estimate"], half["missing"], half["errors"]) == (1, False, 2, 2)
    subject = tables[f"{lab.schema}.Subject"]
    assert (subject["tier"], subject["rows"], subject["missing"]) == ("lookup", 3, None)
    assert {row["table"]: row for row in lab.document("status", "--schema", lab.schema)} == tables
    dj.conn().query(f'ANALYZE "{lab.schema}"."#subject"')
    monkeypatch.setattr("djflow.diagram.survey._DEAR", 1)
    assert f"{lab.schema}.Subject  lookup    ≈3" in lab.told("status", "--schema", lab.schema)
    assert lab.told("status", "--schema", lab.schema).splitlines()[0].split()[:3] == ["TABLE", "TIER", "ROWS"]

    [jobs] = lab.document("jobs", "ls", "--schema", lab.schema)
    assert (jobs["table"], jobs["error"], jobs["total"]) == (f"{lab.schema}.Half", 2, 2)
    errors = lab.document("jobs", "errors", "Half", "--schema", lab.schema, "--traceback")
    assert sorted(error["key"]["subject"] for error in errors) == [2, 3]
    assert errors[0]["message"] == "ValueError: no half"
    assert "in make" in errors[0]["traceback"]
    assert "ValueError: no half" in lab.told("jobs", "errors", "--schema", lab.schema, "--limit", "1")
    assert "in make" in lab.told("jobs", "errors", "--schema", lab.schema, "--traceback")

    retried = lab.told("jobs", "retry", "Half", "--schema", lab.schema, "--where", "subject = 2")
    assert retried == "1 job will be tried again.\n"
    ignored = lab.told("jobs", "ignore", "Half", "subject = 3", "--schema", lab.schema)
    assert ignored == "1 of 1 keys that are not made will be passed over.\n"
    [jobs] = lab.document("jobs", "ls", "--module", lab.module)
    assert (jobs["error"], jobs["ignore"]) == (0, 1)

    for arguments, told in (
        (("jobs", "retry", "--schema", lab.schema), "Name the tables"),
        (("jobs", "ls", "Subject", "--schema", lab.schema), "is not filled by make()"),
        (("jobs", "ls", "Haalf", "--schema", lab.schema), "Did you mean 'Half'?"),
        (("status", "--schema", "no_such_schema"), "no_such_schema"),
        (("status", "--module", "json"), "No tables are declared in json."),
    ):
        code, out, error = lab.run(*arguments)
        assert (code, out) == (1, "")
        assert told in error


def test_rows_are_exported_as_they_are(lab: Lab, tmp_path: Path) -> None:
    entered(lab)
    query = ("query", "Trace", "--schema", lab.schema)
    plain = ("query", "Trace.proj('taken', 'price', 'raw', 'note')", "--schema", lab.schema)
    assert "2024-05-06" in lab.told(*query)
    assert "first 1 " in lab.told(*query, "--limit", "1")

    wanted = [
        {
            "subject": 1,
            "taken": "2024-05-06T10:00:00.000000",
            "price": "1.50",
            "raw": "AP8=",
            "note": 'a,"b"\nc',
        },
        {"subject": 2, "taken": "2024-05-07T10:00:00.500000", "price": "20.00", "raw": "", "note": None},
    ]
    assert json.loads(lab.told(*plain, "--to", "json")) == wanted
    lines = lab.told(*plain, "--to", "jsonl", "--order-by", "taken DESC", "--limit", "1").splitlines()
    assert [json.loads(line) for line in lines] == wanted[1:]
    read = pl.read_csv(io.StringIO(lab.told(*plain, "--to", "csv")), schema_overrides={"price": pl.String})
    assert read.with_columns(pl.col("raw").fill_null("")).to_dicts() == wanted

    assert lab.told(*query, "--output", "rows.parquet") == ""
    stored = pl.read_parquet("rows.parquet")
    assert stored.schema["price"] == pl.Decimal(6, 2)
    assert json.loads(stored["trace"][0])["path"].endswith(".npy")
    nothing = ("query", "Trace & 'subject > 9'", "--schema", lab.schema)
    assert lab.told(*nothing, "--to", "json") == "[]\n"
    assert lab.told(*nothing, "--to", "csv").startswith("subject,taken,")

    for arguments, told in (
        ((*query, "--output", "rows.xls"), "tells no format"),
        ((*query, "--output", "no/such/folder.csv"), "cannot be written"),
        ((*query, "--limit", "-1"), "--limit is a number of rows"),
        (("query", "Top(1)", "--schema", lab.schema), "A query begins with a table"),
        (
            ("query", "Trace & subject > 1", "--schema", lab.schema),
            "\n  Trace & subject > 1\n                  ^",
        ),
        (("query", "Trace", "--schema", "no_such_schema"), "no_such_schema"),
    ):
        code, out, error = lab.run(*arguments)
        assert (code, out) == (1, "")
        assert told in error
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_queries_and_schemas_are_explained(lab: Lab) -> None:
    entered(lab)
    where = ("--module", lab.module)
    assert lab.told("explain", "Trace & 'subject > 1'", *where).startswith("Logical plan")
    assert "Execution Time" in lab.told("explain", "Trace", *where, "--analyze")
    assert lab.told("explain", f"{lab.schema}.Trace", *where, "--sql").startswith("SELECT")

    [listed] = [row for row in lab.document("schema", "ls") if row["schema"] == lab.schema]
    assert listed["tables"] == 3
    described = lab.told("schema", "describe", lab.schema)
    compile(described, "described", "exec")
    assert "class Trace(dj.Manual):" in described
    assert lab.told("schema", "describe", lab.schema, "Half").endswith("half : float64\n")
    assert "Half" in lab.told("schema", "diagram", lab.schema)
    assert "3 rows" in lab.told("schema", "diagram", lab.schema, "--progress")
    assert "Half" in lab.told("schema", "diagram", "--module", lab.module, "--mermaid")
    assert lab.told("schema", "diagram", lab.schema, "--output", "lab.mmd") == "lab.mmd\n"
    assert "Half" in Path("lab.mmd").read_text()
    assert "Nothing to alter." in lab.told("schema", "alter", lab.module, "--plan")
    for arguments in (
        ("schema", "describe", "no_such_schema"),
        ("schema", "diagram"),
        ("schema", "diagram", lab.schema, "--output", "no/such/folder.mmd"),
        ("schema", "alter", "json", "--plan"),
    ):
        assert lab.run(*arguments)[0] == 1


def test_a_changed_definition_is_planned_and_altered(lab: Lab, tmp_path: Path) -> None:
    entered(lab)
    changed = f"{lab.module}_changed"
    text = (tmp_path / f"{lab.module}.py").read_text()
    (tmp_path / f"{changed}.py").write_text(
        text.replace("half : float64", "half : float64\n    n = 0 : int32")
    )
    planned = lab.told("schema", "alter", changed, "--plan")
    assert "ALTER TABLE" in planned
    lab.told("schema", "alter", changed, "--yes")
    assert "Nothing to alter." in lab.told("schema", "alter", changed, "--plan")


def test_objects_are_verified_and_collected_and_schemas_kept(lab: Lab) -> None:
    module = entered(lab)
    where = ("--schema", lab.schema)
    assert lab.told("verify", *where) == "All objects are there, as they were written.\n"
    path = (module.Trace() & "subject = 2").fetch1("trace").path
    dj.conn().open_store("").put(path, b"other")
    code, out, _ = lab.run("verify", *where, "--json")
    [problem] = json.loads(out)
    assert (code, problem["key"], problem["problem"]) == (1, {"subject": 2}, "corrupt")
    assert lab.run("verify", "Trace & 'subject = 1'", *where)[0] == 0
    assert "is no table" in lab.run("verify", "Trace * Subject", *where)[2]

    (module.Trace() & "subject = 2").delete(prompt=False)
    [planned] = lab.document("gc", lab.schema)
    assert planned["path"] == path
    code, out, error = lab.run("gc", lab.schema)
    assert (code, path in out, "--run" in error) == (0, True, True)
    done = lab.document("gc", lab.schema, "--run", "--grace", "0")
    assert done["deleted"] == 1
    assert lab.document("gc", lab.schema, "--audit") == []
    assert lab.run("gc", "no_such_schema")[0] == 1

    assert f"{lab.schema}.trace: 1 rows" in lab.told("db", "dump", lab.schema, "kept")
    restored = lab.told("db", "restore", "kept", "--on-conflict", "skip")
    assert f"{lab.schema}.trace: 0 rows" in restored
    assert lab.run("db", "restore", "kept")[0] == 1


def test_the_doctor_finds_what_is_wrong(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = {finding["check"]: finding for finding in lab.document("doctor")}
    assert {finding["state"] for finding in found.values()} <= {"ok", "warning"}
    assert {"python", "packages", "configuration", "server", "rights", "clock", "store local"} <= set(found)
    assert "ok       server: PostgreSQL" in lab.told("doctor")

    (tmp_path / "a-file").touch()
    (tmp_path / ".secrets").mkdir(mode=0o755)
    (tmp_path / ".secrets" / "database.password").touch(mode=0o644)
    monkeypatch.setenv("DATABASE_URL", "postgresql://ann:s3cret@127.0.0.1:1/lab")
    monkeypatch.setenv("DJ_STORES", json.dumps({"raw": {"protocol": "file", "location": "a-file/in"}}))
    dj.conn().close()
    dj.config.clear()
    code, out, _ = lab.run("doctor")
    assert code == 1
    assert "FAILED   server: " in out
    assert "FAILED   store raw: " in out
    assert os.name != "posix" or "WARNING  secrets: others can read database.password" in out
    assert "-> Look at `djflow config show stores.raw`." in out
    assert "s3cret" not in out
    monkeypatch.setenv("DJ_PORT", "many")
    dj.config.clear()
    code, out, _ = lab.run("doctor")
    assert (code, "FAILED   configuration: " in out, "server" in out) == (1, True, False)


def test_the_configuration_is_shown_with_its_sources_and_without_secrets(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ann:s3cret@db.lab.org/lab")
    shown = {row["setting"]: row for row in lab.document("config", "show", "database")}
    assert shown["database.host"]["value"] == "db.lab.org"
    assert shown["database.host"]["source"] == "the environment variable DATABASE_URL"
    assert shown["database.password"]["value"] == "***"
    assert set(shown) == {name for name in shown if name.startswith("database.")}
    whole = lab.told("config", "show")
    assert "s3cret" not in whole
    assert "display.limit" in whole
    code, _, error = lab.run("config", "show", "databse")
    assert (code, "databse" in error) == (1, True)


def test_the_shell_has_the_tables_at_hand(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    entered(lab)
    monkeypatch.setattr("sys.stdin", io.StringIO("print(len(lab.Trace()), len(Subject()), dj.__name__)\n"))
    code, out, error = lab.run("shell", "--plain", "-s", f"{lab.schema}:lab", "--module", lab.module)
    assert (code, "2 3 djflow" in out) == (0, True)
    assert f"lab -> {lab.schema}" in error
    assert lab.run("shell", "-s", "my-lab")[0] == 1


def test_the_shell_takes_another_server_and_tells_it_no_password_of_the_first(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ann:s3cret@db.lab.org/lab")
    monkeypatch.setattr("sys.stdin", io.StringIO("print(dj.config.database)\n"))
    code, out, _ = lab.run("shell", "--plain", "--host", "db.other.org:5433", "-u", "ben")
    assert code == 0
    assert "host: 'db.other.org'" in out
    assert "port: 5433" in out
    assert "password: None" in out


def test_a_name_in_several_schemas_needs_the_schema(lab: Lab) -> None:
    from djflow.cli.places import Place, Places

    module = entered(lab)
    places = Places(
        dj.conn(),
        (Place("a", {"Half": module.Half()}), Place("b", {"Half": module.Half()}, ("second",))),
    )
    assert places.table("second.Half") is places.table("b.Half")
    with pytest.raises(InvalidArgumentError, match="may be"):
        places.table("Half")
    with pytest.raises(InvalidArgumentError, match="is a schema"):
        places.table("second")


def test_an_export_keeps_the_order_of_its_query_and_who_may_read_the_file(lab: Lab, tmp_path: Path) -> None:
    target, link = tmp_path / "rows.csv", tmp_path / "link.csv"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    query = ("query", "Subject & Top(2, 'subject DESC')", "--module", lab.module, "--limit", "1")
    assert lab.run(*query, "--output", str(link)) == (0, "", "")
    assert target.read_text().splitlines()[1].split(",")[0] == "3"
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o600
    code, _, told = lab.run(*query, "--to", "csv", "--output", str(tmp_path))
    assert (code, "is a folder" in told) == (1, True)
    assert lab.run(*query, "--to", "csv", "--output", os.devnull)[0] == 0
    assert not Path(os.devnull).is_file()


@pytest.mark.parametrize("target", ["", ".x", ":Spikes", "lab/ephys.py"])
def test_what_names_no_module_is_told(lab: Lab, target: str) -> None:
    code, _, told = lab.run("populate", target)
    assert (code, "as Python imports it" in told) == (1, True)
