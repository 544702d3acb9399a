"""Several tables altered at once: new parents, parts, lookup contents, references, and others at work."""

import threading
from collections.abc import Iterator
from textwrap import wrap
from typing import Any

import pytest
from inline_snapshot import snapshot

import djflow as dj
from djflow.errors import AlterationError, IntegrityError
from djflow.relation.database import Database
from djflow.tables.alteration.plan import AlterationPlan
from djflow.tables.schema import Schema


def planned(target: Any, **options: Any) -> AlterationPlan:
    plan = target.alter(plan=True, **options)
    assert isinstance(plan, AlterationPlan)
    return plan


def lines(plan: AlterationPlan) -> list[str]:
    return [
        f"{each.table.table}: {each.change}".replace(f"{each.table.schema}.", "") for each in plan.changes
    ]


def wrapped(text: str) -> list[str]:
    return [part for line in text.splitlines() for part in wrap(line, 90, subsequent_indent="      ")]


@pytest.fixture
def subject(schema: Schema) -> Any:
    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        species : varchar(20)
        sex = 'U' : enum('M', 'F', 'U')
        """

    Subject().insert([(1, "mus", "M"), (2, "rattus", "F")])
    return Subject


@pytest.fixture
def other(database: Database) -> Iterator[Database]:
    """What another process would open."""
    settings = database.settings
    opened = Database(lambda: settings)
    yield opened
    opened.close()


# references


def test_an_attribute_becomes_a_reference_to_a_new_table(subject: Any, schema: Schema) -> None:
    @schema
    class Species(dj.Lookup):
        definition = "species : varchar(20)"
        contents = (("mus",), ("rattus",))

    subject.definition = """
    subject : int32
    ---
    -> Species
    sex = 'U' : enum('M', 'F', 'U')
    """
    assert lines(planned(subject)) == snapshot(
        [
            "subject: add foreign key (species) -> #species (species)",
            "subject: add index(species)",
            "#species: create the table",
        ]
    )
    subject.alter()
    assert len(subject() * Species()) == 2
    with pytest.raises(IntegrityError):
        subject.insert1((3, "felis", "U"))
    assert not planned(schema)


def test_orphans_are_counted_before_a_reference_is_added(subject: Any, schema: Schema) -> None:
    @schema
    class Species(dj.Manual):
        definition = "species : varchar(20)"

    Species().insert1(("mus",))
    subject.definition = subject.definition.replace("species : varchar(20)", "-> Species")
    [problem] = planned(subject).problems
    assert (problem.rows, problem.example) == (1, "species='rattus'")
    with pytest.raises(AlterationError, match="refer"):
        subject.alter(allow_loss=True)
    Species().insert1(("rattus",))
    subject.alter()
    assert subject.heading["species"].lineage == f"{schema.database}.species.species"
    subject.definition = subject.definition.replace("-> Species", "-> [nullable, unique] Species")
    assert lines(planned(subject)) == snapshot(
        [
            "subject: default of species: none -> null",
            "subject: species may be null",
            "subject: drop index(species)",
            "subject: add unique index(species)",
        ]
    )
    subject.alter()
    subject.insert1({"subject": 3})
    subject.definition = subject.definition.replace(
        "-> [nullable, unique] Species", "species = null : varchar(20)"
    )
    assert lines(planned(subject)) == snapshot(
        ["subject: drop foreign key (species) -> species (species)", "subject: drop unique index(species)"]
    )
    subject.alter()
    assert not planned(subject)
    assert len(subject()) == 3


def test_repeated_values_stop_a_unique_index(subject: Any) -> None:
    subject.insert1((3, "mus", "M"))
    subject.definition += "unique index(species)\n"
    [problem] = planned(subject).problems
    assert (problem.rows, problem.example) == (2, "species='mus'")


def test_indexes_of_expressions_are_added_once(subject: Any) -> None:
    subject.definition += "index((lower(species)))\n"
    assert lines(planned(subject)) == ["subject: add index((lower(species)))"]
    subject.alter()
    assert not planned(subject)
    subject.definition = subject.definition.replace("index((lower(species)))", "")
    assert lines(planned(subject)) == snapshot(["subject: drop index((lower(species::text)))"])
    subject.alter()
    assert not planned(subject)


# enums


def test_tables_that_share_an_enum_change_apart(subject: Any, schema: Schema) -> None:
    @schema
    class Twin(dj.Manual):
        definition = """
        twin : int32
        ---
        sex = 'U' : enum('M', 'F', 'U')
        """

    Twin().insert1((1, "M"))
    subject.definition = subject.definition.replace("'M', 'F', 'U'", "'F', 'M', 'U', 'X'")
    subject.alter()
    subject.insert1((3, "mus", "X"))
    assert str(Twin().heading["sex"].type) == "enum('M','F','U')"
    assert subject.to_polars(order_by="subject")["sex"].to_list() == ["M", "F", "X"]
    assert not planned(schema)


# parts and contents


def test_a_master_is_altered_with_its_parts(schema: Schema) -> None:
    class Recording(dj.Manual):
        definition = "recording : int32"

        class Old(dj.Part):
            definition = """
            -> master
            ---
            x : int32
            """

    schema(Recording)
    Recording().insert([(1,), (2,)])
    Recording.Old().insert1((1, 5))
    database = schema.connection
    again = Schema(schema.database, connection=database)

    class Recorded(dj.Manual):
        definition = """
        recording : int32
        ---
        note = '' : varchar(10)
        """

        class New(dj.Part):
            definition = """
            -> master
            channel : int16
            """

    Recorded.__name__ = "Recording"
    again(Recorded)
    plan = planned(Recorded)
    assert lines(plan) == snapshot(
        ["recording: add note = '' : varchar(10)", "recording__new: create the table"]
    )
    assert [note.partition(".")[2] for note in plan.notes] == snapshot(
        ["recording__old is a part that its master's class lacks. It stays: drop it if it may go."]
    )
    Recorded.alter()
    assert not planned(Recorded)
    Recorded.New().insert1((1, 1))
    assert len(Recording.Old()) == 1


def test_contents_that_were_added_are_inserted(schema: Schema) -> None:
    @schema
    class Colour(dj.Lookup):
        definition = "colour : varchar(8)"
        contents = (("red",),)

    assert len(Colour()) == 1
    Colour.definition = """
    colour : varchar(8)
    ---
    warm = true : bool
    """
    Colour.contents = (("red", True), ("blue", False))  # type: ignore[assignment]
    Colour.alter()
    assert Colour().to_dicts(order_by="colour") == snapshot(
        [{"colour": "blue", "warm": False}, {"colour": "red", "warm": True}]
    )


def test_hidden_columns_stay(schema: Schema) -> None:
    @schema
    class Source(dj.Manual):
        definition = "source : int32"

    @schema
    class Result(dj.Computed):
        definition = """
        -> Source
        ---
        value : float64
        """
        job_metadata = True

        def make(self, key: dict[str, Any]) -> None:
            self.insert1({**key, "value": 1.0})

    Source().insert1((1,))
    Result().populate()
    Result.job_metadata = False
    Result.definition = Result.definition.replace("value", "score")
    Result.alter(renames={"value": "score"})
    hidden = [c.name for c in Result().table_model.columns if c.is_hidden]
    assert hidden == ["_job_start_time", "_job_duration", "_job_version"]
    assert Result().fetch1("score") == 1.0


# others at work


def test_who_waits_too_long_is_told_so(subject: Any, other: Database) -> None:
    subject.definition = subject.definition.replace("species ", "kind ")
    with other.transaction:
        other.session.execute(f"SELECT * FROM {subject.full_table_name} FOR UPDATE")
        with pytest.raises(AlterationError, match=r"no lock within 0\.2 s"):
            subject.alter(renames={"species": "kind"}, lock_timeout=0.2)
    assert "species" in subject.heading
    subject.alter(renames={"species": "kind"}, lock_timeout=5)
    assert "kind" in subject.heading


def test_two_that_alter_at_once_alter_once(subject: Any, schema: Schema, other: Database) -> None:
    class Subject(dj.Manual):
        definition = subject.definition + "weight = null : float64\n"

    Schema(schema.database, connection=other)(Subject)
    subject.definition = Subject.definition
    failures: list[BaseException] = []

    def alter(table: Any) -> None:
        try:
            table.alter(prompt=False)
        except BaseException as error:  # noqa: BLE001 - for the main thread
            failures.append(error)

    threads = [threading.Thread(target=alter, args=(table,)) for table in (subject, Subject)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(schema.migrations()) == 1
    assert "weight" in subject.heading
    assert "weight" in Subject().heading


def test_readers_elsewhere_survive_an_alteration(subject: Any, schema: Schema, other: Database) -> None:
    elsewhere = Schema(schema.database, connection=other)["Subject"]

    def read() -> Any:
        with other.transaction:
            return [elsewhere.to_dicts(order_by="subject"), elsewhere.to_polars(order_by="subject").rows()]

    for _ in range(8):  # the driver prepares what it sees often
        read()
    subject.definition = subject.definition.replace("int32", "int64").replace("'U')", "'U', 'X')")
    subject.alter()
    rows, frame = read()
    assert [row["subject"] for row in rows] == [1, 2]
    assert [row[0] for row in frame] == [1, 2]


# plans


def test_a_plan_is_shown_as_text_and_as_a_page(subject: Any, schema: Schema) -> None:
    subject.definition = subject.definition.replace("varchar(20)", "varchar(3)")
    plan = planned(subject)
    assert wrapped(repr(plan).replace(schema.database, "lab")) == snapshot(
        [
            "lab.subject, about 2 rows:",
            "  type of species: varchar(20) -> varchar(3)",
            "Would lose data (allow_loss=True permits it):",
            "  lab.subject: type of species: varchar(20) -> varchar(3): 1 row has a value of 'species'",
            "      that varchar(3) would cut or round (for example subject='2', species='rattus').",
            "Statements:",
            '  ALTER TABLE "lab"."subject" ALTER COLUMN "species" TYPE character varying(3) USING',
            '      CAST("species" AS character varying(3))',
            '  COMMENT ON COLUMN "lab"."subject"."species" IS \':varchar(3):\'',
        ]
    )
    page = plan._repr_html_()
    assert "<details>" in page
    assert "&lt;" not in repr(plan)


def test_somebody_at_a_terminal_is_asked(subject: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    subject.definition = subject.definition.replace("varchar(20)", "varchar(30)")
    asked: list[str] = []
    answers = iter(["no", "yes"])

    def answer(question: str) -> str:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr("builtins.input", answer)
    subject.alter(prompt=True)
    assert planned(subject)
    subject.alter(prompt=True)
    assert not planned(subject)
    assert asked == ["Alter? [yes, No] "] * 2


def test_a_restricted_table_cannot_be_altered(subject: Any) -> None:
    with pytest.raises(AlterationError, match="whole table"):
        (subject & "subject = 1").alter()
