"""A changed definition changes the table: what it takes, what it keeps, what it refuses."""

from datetime import date
from decimal import Decimal
from textwrap import wrap
from typing import Any

import pytest
from inline_snapshot import snapshot

import djflow as dj
from djflow.errors import AlterationError, DefinitionError
from djflow.tables.alteration.plan import AlterationPlan
from djflow.tables.schema import Schema


def planned(table: Any, **options: Any) -> AlterationPlan:
    plan = table.alter(plan=True, **options)
    assert isinstance(plan, AlterationPlan)
    return plan


def changes(table: Any, **options: Any) -> list[str]:
    return [str(each.change) for each in planned(table, **options).changes]


def told(problems: tuple[str, ...]) -> list[list[str]]:
    """What is said of each, without the name of the schema, in lines that fit here."""
    return [wrap(each.partition(": ")[2], 90) for each in problems]


@pytest.fixture
def subject(schema: Schema) -> Any:
    class Subject(dj.Manual):
        definition = """
        # an animal
        subject : int32
        ---
        species : varchar(20)   # Latin
        sex = 'U' : enum('M', 'F', 'U')
        weight = null : float64
        """

    schema(Subject)
    Subject().insert([(1, "mus", "M", 20.5), (2, "rattus", "F", None)])
    return Subject


def test_a_table_that_is_as_declared_needs_no_alteration(
    subject: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not planned(subject)
    subject.alter()
    assert capsys.readouterr().out == "Nothing to alter.\n"


def test_a_plan_lists_the_changes_and_does_nothing(subject: Any, schema: Schema) -> None:
    before = subject.describe()
    subject.definition = """
    # a subject
    subject : int32
    ---
    species : varchar(40)   # Latin name
    sex = 'U' : enum('M', 'F', 'U', 'X')
    weight = 0 : float64
    born = null : date
    index(species)
    """
    assert changes(subject) == snapshot(
        [
            "comment: 'an animal' -> 'a subject'",
            "add born = null : date",
            "type of species: varchar(20) -> varchar(40)",
            "comment of species: 'Latin' -> 'Latin name'",
            "type of sex: enum('M','F','U') -> enum('M','F','U','X')",
            "default of weight: null -> '0.0'",
            "weight is required",
            "add index(species)",
        ]
    )
    assert schema["Subject"].describe() == before
    assert len(schema.migrations()) == 0


def test_altered_tables_keep_their_rows(subject: Any) -> None:
    subject.definition = """
    # a subject
    subject : int64
    ---
    name : varchar(40)   # Latin name
    sex = 'U' : enum('M', 'F', 'U', 'X')
    weight = null : float32
    born = '2024-01-01' : date
    index(name)
    """
    subject.alter(renames={"species": "name"})
    assert not planned(subject)
    assert subject.heading.names == ("subject", "name", "sex", "weight", "born")
    assert subject.to_dicts(order_by="subject") == snapshot(
        [
            {"subject": 1, "name": "mus", "sex": "M", "weight": 20.5, "born": date(2024, 1, 1)},
            {"subject": 2, "name": "rattus", "sex": "F", "weight": None, "born": date(2024, 1, 1)},
        ]
    )
    subject.insert1({"subject": 3, "name": "x" * 40, "sex": "X"})
    assert subject.to_polars(order_by="subject")["sex"].to_list() == ["M", "F", "X"]


def test_rows_that_would_lose_data_are_counted_and_refused(subject: Any) -> None:
    subject.definition = """
    # an animal
    subject : int32
    ---
    species : varchar(4)   # Latin
    sex = 'U' : enum('M', 'F', 'U')
    """
    with pytest.raises(AlterationError) as refused:
        subject.alter()
    assert told(refused.value.would_lose) == snapshot(
        [
            ["drop weight = null : float64: 1 row has a value that would be lost."],
            [
                "type of species: varchar(20) -> varchar(4): 1 row has a value of 'species' that varchar(4)",
                "would cut or round (for example subject='2', species='rattus').",
            ],
        ]
    )
    assert refused.value.problems == ()
    assert subject.heading.names == ("subject", "species", "sex", "weight")
    subject.alter(allow_loss=True)
    assert subject.to_dicts(order_by="subject") == snapshot(
        [{"subject": 1, "species": "mus", "sex": "M"}, {"subject": 2, "species": "ratt", "sex": "F"}]
    )


def test_what_no_permission_helps_is_told_with_an_example(subject: Any) -> None:
    subject.definition = """
    # an animal
    subject : int32
    ---
    species : int32   # Latin
    sex = 'U' : enum('M', 'U')
    weight : float64
    born : date
    """
    with pytest.raises(AlterationError) as refused:
        subject.alter(allow_loss=True)
    assert told(refused.value.problems) == snapshot(
        [
            [
                "add born : date: 2 rows would have no 'born', which is required. Give it a default in the",
                "definition, let it be null, or pass fill={'born': value}.",
            ],
            [
                "type of species: varchar(20) -> int32: 2 rows have a value of 'species' that is none of",
                "the new type (for example subject='1', species='mus'). Update them first, or choose a type",
                "that holds them.",
            ],
            [
                "type of sex: enum('M','F','U') -> enum('M','U'): 1 row has a value of 'sex' that is no",
                "label of enum('M','U') (for example subject='2', sex='F'). Update them first, or keep the",
                "label.",
            ],
            [
                "weight is required: 1 row has no 'weight', which becomes required (for example",
                "subject='2'). Pass fill={'weight': value}, or update them first.",
            ],
        ]
    )


def test_fill_gives_rows_what_they_lack(subject: Any) -> None:
    subject.definition = """
    # an animal
    subject : int32
    ---
    species : varchar(20)   # Latin
    sex = 'U' : enum('M', 'F', 'U')
    weight : float64
    born : date
    """
    subject.alter(fill={"weight": 1.5, "born": date(2020, 2, 29)})
    assert not planned(subject)
    assert subject.to_dicts(order_by="subject")[1] == snapshot(
        {"subject": 2, "species": "rattus", "sex": "F", "weight": 1.5, "born": date(2020, 2, 29)}
    )
    assert "born      : date\n" in subject.describe()


@pytest.mark.parametrize(
    ("fill", "words"),
    [
        ({"weight": "heavy"}, "does not fit"),
        ({"species": "x"}, "neither new nor newly required"),
        ({"nothing": 1}, "neither new nor newly required"),
        ({"Other.weight": 1}, "names no attribute of a class"),
    ],
)
def test_a_fill_that_makes_no_sense_is_refused(subject: Any, fill: dict[str, Any], words: str) -> None:
    subject.definition = subject.definition.replace("weight = null", "weight")
    with pytest.raises(AlterationError, match=words):
        subject.alter(fill=fill)


@pytest.mark.parametrize(
    ("renames", "words"),
    [
        ({"specis": "kind"}, "Did you mean 'species'"),
        ({"species": "kin"}, "Did you mean 'kind'"),
        ({"sex": "kind"}, "still has 'sex'"),
        ({"species": "sex"}, "'sex' exists already"),
    ],
)
def test_a_rename_that_makes_no_sense_is_refused(subject: Any, renames: dict[str, str], words: str) -> None:
    subject.definition = subject.definition.replace("species", "kind")
    with pytest.raises(AlterationError, match=words):
        subject.alter(renames=renames)


def test_a_likely_rename_is_suggested(subject: Any) -> None:
    subject.definition = subject.definition.replace("species", "kind")
    assert [note.partition(": ")[2] for note in planned(subject).notes] == snapshot(
        ["if 'species' is now called 'kind', say renames={'species': 'kind'}, and its values stay."]
    )


def test_a_mistake_in_the_definition_is_told_with_its_line(subject: Any) -> None:
    subject.definition = "subject : int33"
    with pytest.raises(DefinitionError, match="int33"):
        subject.alter()


def test_the_history_tells_what_was_done(subject: Any, schema: Schema) -> None:
    subject.definition = subject.definition.replace("species ", "kind ")
    subject.alter(renames={"species": "kind"})
    history = schema.migrations()
    assert history.columns == snapshot(
        [
            "migration",
            "applied_at",
            "applied_by",
            "djflow_version",
            "table_name",
            "definition_before",
            "definition_after",
            "statements",
        ]
    )
    [row] = history.to_dicts()
    assert row["table_name"] == "subject"
    assert "species" in row["definition_before"]
    assert "kind" in row["definition_after"]
    assert row["statements"][0].endswith('RENAME COLUMN "species" TO "kind"')
    assert "~migrations" not in schema.list_tables()


def test_an_alteration_inside_a_transaction_ends_with_it(subject: Any, schema: Schema) -> None:
    before = subject.describe()
    subject.definition = subject.definition.replace("species ", "kind ")

    def alter_and_fail() -> None:
        with schema.connection.transaction:
            subject.alter(renames={"species": "kind"})
            assert "kind" in subject.heading
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        alter_and_fail()
    assert "species" in subject.heading
    assert subject.describe() == before
    assert len(schema.migrations()) == 0


def test_queries_after_an_alteration_see_the_new_types(subject: Any, schema: Schema) -> None:
    def everything() -> list[Any]:
        read = subject.to_dicts(order_by="subject")
        with schema.connection.transaction:
            assert subject.to_dicts(order_by="subject") == read
        return [len(subject), read, subject.to_polars().schema]

    for _ in range(8):  # the driver prepares what it sees often
        everything()
    subject.definition = """
    subject : int64
    ---
    species : varchar(40)
    sex = 'U' : enum('M', 'F', 'U', 'X')
    weight = null : decimal(8,2)
    """
    subject.alter()
    subject.insert1((3, "x", "X", 1))
    assert [everything()[1][2] for _ in range(8)] == [
        {"subject": 3, "species": "x", "sex": "X", "weight": Decimal("1.00")}
    ] * 8
