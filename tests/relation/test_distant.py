"""Restriction by tables any number of foreign keys away, on a server."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

import djflow as dj
from djflow.errors import AmbiguousPathError, QueryError
from djflow.planner.explain import show_plan
from djflow.relation.database import Database
from djflow.tables.schema import Schema


@pytest.fixture
def second(database: Database) -> Iterator[Schema]:
    """A schema that depends on the first one."""
    schema = Schema(f"test_{uuid4().hex[:12]}", connection=database)
    yield schema
    schema.drop(prompt=False)


@pytest.fixture
def world(schema: Schema, second: Schema) -> Any:
    @schema
    class Species(dj.Lookup):
        definition = """
        species : varchar(8)
        """
        contents = [("mouse",), ("rat",)]  # noqa: RUF012 - as users write it

    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        -> Species
        sex : enum('F', 'M')
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int16
        ---
        rate : float64
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int16
            ---
            rt = null : float64
            """

    @schema
    class Mating(dj.Manual):
        definition = """
        mating : int32
        ---
        -> Subject.proj(mother='subject')
        -> [nullable] Subject.proj(father='subject')
        """

    @second
    class Unit(dj.Manual):
        definition = """
        -> Session.proj(recording='session')
        unit : int16
        ---
        -> [nullable] Session.Trial.proj(recording='session', first='trial')
        """

    @second
    class Spike(dj.Manual):
        definition = """
        -> Unit
        spike : int32
        """

    Subject().insert([(1, "mouse", "F"), (2, "rat", "M"), (3, "mouse", "M")])
    Session().insert([(s, n, n / 2) for s in (1, 2, 3) for n in (1, 2)])
    Session.Trial().insert([(1, 1, 1, 0.5), (1, 1, 2, None), (2, 1, 1, 0.7)])
    Mating().insert([(1, 1, 2), (2, 1, None), (3, 1, 3)])
    Unit().insert([(1, 1, 1, 1), (1, 2, 1, None), (2, 1, 1, None), (3, 2, 1, None)])
    Spike().insert([(1, 1, 1, 1), (1, 1, 1, 2), (3, 2, 1, 1)])
    return SimpleNamespace(
        Species=Species,
        Subject=Subject,
        Session=Session,
        Trial=Session.Trial,
        Mating=Mating,
        Unit=Unit,
        Spike=Spike,
    )


def values(relation: Any, name: str) -> list[Any]:
    found: list[Any] = relation.to_arrow()[name].to_pylist()
    return found


def test_an_ancestor_restricts_across_three_tables_and_two_schemas(world: Any) -> None:
    spikes = world.Spike().restrict_by(world.Subject & "sex = 'F'")
    assert spikes.heading == world.Spike().heading
    assert spikes.to_dicts() == (world.Spike & "subject = 1").to_dicts()
    assert len(world.Spike().restrict_by(world.Subject & "sex = 'M'")) == 1


def test_a_descendant_restricts_across_three_tables_and_two_schemas(world: Any) -> None:
    assert values(world.Subject().restrict_by(world.Spike & "spike = 1"), "subject") == [1, 3]
    assert values(world.Subject().restrict_by(world.Spike & "spike = 2"), "subject") == [1]


def test_a_secondary_reference_on_the_way_is_followed(world: Any) -> None:
    assert values(world.Spike().restrict_by(world.Species & "species = 'mouse'"), "subject") == [1, 1, 3]
    assert values(world.Species().restrict_by(world.Spike & "recording = 2"), "species") == ["mouse"]
    assert len(world.Spike().restrict_by(world.Species & "species = 'rat'")) == 0


def test_a_reference_to_nothing_connects_nothing(world: Any) -> None:
    far = world.Trial & "trial > 0"
    assert world.Unit().restrict_by(far).keys() == [{"subject": 1, "recording": 1, "unit": 1}]
    through = world.Unit().restrict_by(world.Session, via=world.Trial)
    assert through.keys() == [{"subject": 1, "recording": 1, "unit": 1}]
    assert values(world.Subject().restrict_by(world.Unit, via=world.Trial), "subject") == [1]
    assert values(world.Subject().restrict_by(world.Unit), "subject") == [1, 2, 3]


def test_two_renamed_references_to_one_table_are_ambiguous(world: Any) -> None:
    with pytest.raises(AmbiguousPathError) as caught:
        world.Mating().restrict_by(world.Subject & "sex = 'F'")
    assert caught.value.paths == (
        "mating -> subject (mother = subject)",
        "mating -> subject (father = subject)",
    )
    fathers = (world.Subject & "species = 'mouse'").proj(father="subject")
    assert values(world.Mating & fathers, "mating") == [3]


def test_either_end_may_be_restricted_projected_and_renamed(world: Any) -> None:
    spikes = (world.Spike & "spike < 2").proj(animal="subject", take="recording")
    sessions = (world.Session & "rate < 0.75").proj(who="subject", number="session")
    assert spikes.restrict_by(sessions).to_dicts() == [{"animal": 1, "take": 1, "unit": 1, "spike": 1}]
    assert sessions.restrict_by(spikes).to_dicts() == [{"who": 1, "number": 1}]
    counted = world.Subject().aggr(world.Session, total="sum(rate)") & "total > 1 AND subject > 1"
    assert values(world.Spike().restrict_by(counted), "subject") == [3]
    latest = world.Session & dj.Top(1, order_by="subject DESC, session DESC")
    assert values(world.Spike().restrict_by(latest), "subject") == [3]


def test_what_a_projection_took_away_cannot_be_followed(world: Any) -> None:
    with pytest.raises(QueryError, match=r"need 'species' of .*subject, but the query leaves it out"):
        world.Subject().proj().restrict_by(world.Species)
    with pytest.raises(QueryError, match="queries over one table"):
        (world.Subject * world.Session).restrict_by(world.Species)
    with pytest.raises(QueryError, match="Expected a table"):
        world.Subject().restrict_by({"species": "rat"})


def test_operators_say_the_direction(world: Any) -> None:
    females, fast = world.Subject & "sex = 'F'", world.Spike & "spike = 2"
    assert (world.Spike << females).keys() == world.Spike().restrict_by(females).keys()
    assert ((world.Spike & "spike = 1") << females).keys() == (
        world.Spike & "subject = 1 AND spike = 1"
    ).keys()
    assert values(world.Subject >> fast, "subject") == [1]
    assert values(females >> world.Spike, "subject") == [1]
    assert values(world.Subject.restrict_by(world.Spike), "subject") == [1, 3]
    with pytest.raises(QueryError, match="There is another way: spike ->"):
        world.Subject << fast
    with pytest.raises(QueryError, match="There is another way: spike ->"):
        world.Spike >> females


def test_the_rows_that_nothing_connects_are_the_rest(world: Any) -> None:
    spiking = world.Session().restrict_by(world.Spike)
    assert len(spiking) == 2
    assert len(world.Session - spiking.proj()) == 4


def test_summaries_of_a_table_are_restricted_as_the_table_is(world: Any) -> None:
    several = world.Subject().aggr(world.Session, n="count(session)").restrict_by(world.Spike & "spike = 2")
    assert several.to_dicts() == [{"subject": 1, "n": 2}]


def test_tables_side_by_side_are_told_where_they_meet(world: Any) -> None:
    with pytest.raises(QueryError, match=r"say mating\.restrict_by\(subject\.restrict_by\(session\)\)"):
        world.Mating().restrict_by(world.Session)


def test_a_table_that_no_class_declares_is_passed(world: Any, database: Database) -> None:
    schema, name = world.Trial().connection, world.Subject().table_model.name.schema
    assert schema is database
    for text in (
        f'CREATE TABLE "{name}".rig (rig int PRIMARY KEY, subject int NOT NULL REFERENCES "{name}".subject)',
        f'CREATE TABLE "{name}".lens (lens int PRIMARY KEY, rig int REFERENCES "{name}".rig)',
        f'INSERT INTO "{name}".rig VALUES (7, 1), (8, 2)',
        f'INSERT INTO "{name}".lens VALUES (1, 7), (2, 8), (3, NULL)',
    ):
        database.query(text)
    lens = dj.Schema(name, connection=database)

    @lens
    class Lens(dj.Manual):
        definition = """
        lens : int32
        ---
        rig = null : int32
        """

    assert values(Lens().restrict_by(world.Subject & "sex = 'F'"), "lens") == [1]
    assert values(world.Subject().restrict_by(Lens & "lens > 1"), "subject") == [2]


def test_rows_are_read_only_when_asked_for(world: Any) -> None:
    spikes = world.Spike().restrict_by(world.Subject & "sex = 'M'")
    before = len(spikes)
    world.Spike().insert1((2, 1, 1, 9))
    assert len(spikes) == before + 1


def test_a_path_that_hands_the_key_through_is_one_semi_join(world: Any) -> None:
    spikes = world.Spike().restrict_by(world.Subject & "sex = 'F'")
    text = show_plan(spikes.logical_plan)
    for schema, short in zip(schemas(world), ("lab", "ephys"), strict=True):
        text = text.replace(schema, short)
    assert text == snapshot("""\
SemiJoin: subject
  Scan: ephys.spike
  Restrict: sex = 'F'
    Scan: lab.subject""")
    assert "session" not in spikes.make_sql()
    assert "SemiJoin: subject" in str(spikes.explain())


def schemas(world: Any) -> tuple[str, str]:
    return world.Subject().table_model.name.schema, world.Spike().table_model.name.schema


# the law, by joins written out in SQL

small = st.integers(1, 2)
fills = st.fixed_dictionaries(
    {
        "species": st.lists(st.sampled_from(["mouse", "rat"]), min_size=2, max_size=2),
        "trials": st.sets(st.tuples(small, small, small), max_size=4),
        "units": st.dictionaries(st.tuples(small, small, small), st.none() | small, max_size=5),
        "spikes": st.sets(st.tuples(small, small, small, small), max_size=6),
    }
)


def fill(world: Any, rows: dict[str, Any]) -> None:
    units = {
        key: first if (*key[:2], first) in rows["trials"] else None for key, first in rows["units"].items()
    }
    for table in (world.Spike, world.Unit, world.Mating, world.Trial, world.Session, world.Subject):
        world.Subject().connection.query(f"DELETE FROM {table().full_table_name}")
    world.Subject().insert([(n, kind, "F") for n, kind in enumerate(rows["species"], 1)])
    world.Session().insert([(a, b, 1.0) for a in (1, 2) for b in (1, 2)])
    world.Trial().insert([(*key, None) for key in sorted(rows["trials"])])
    world.Unit().insert([(*key, first) for key, first in units.items()])
    world.Spike().insert([key for key in sorted(rows["spikes"]) if key[:3] in units])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=fills, number=small)
def test_collapsed_plans_keep_the_rows_of_the_joins_written_out(
    world: Any, rows: dict[str, Any], number: int
) -> None:
    fill(world, rows)
    name = {each: getattr(world, each)().full_table_name for each in vars(world)}
    through_session = (
        f"{name['Spike']} AS k JOIN {name['Unit']} AS u USING (subject, recording, unit)"
        f" JOIN {name['Session']} AS s ON (s.subject, s.session) = (u.subject, u.recording)"
        f" JOIN {name['Subject']} AS a ON a.subject = s.subject"
        f" JOIN {name['Species']} AS p ON p.species = a.species"
    )
    through_trial = through_session.replace(
        " AS s ON (s.subject, s.session) = (u.subject, u.recording)",
        f" AS s ON TRUE JOIN {name['Trial']} AS t ON (t.subject, t.session, t.trial)"
        " = (u.subject, u.recording, u.first) AND (s.subject, s.session) = (t.subject, t.session)",
    )

    def joined(columns: str, source: str, condition: str) -> list[tuple[Any, ...]]:
        sql = f"SELECT DISTINCT {columns} FROM {source} WHERE {condition} ORDER BY {columns}"
        return world.Subject().connection.query(sql)  # type: ignore[no-any-return]

    def keys(relation: Any) -> list[tuple[Any, ...]]:
        return [tuple(key.values()) for key in relation.keys()]  # noqa: SIM118 - not a dict

    for source, via in ((through_session, None), (through_trial, world.Trial)):
        up = world.Spike().restrict_by(world.Session & f"session = {number}", via=via)
        spike = "k.subject, k.recording, k.unit, k.spike"
        assert keys(up) == joined(spike, source, f"s.session = {number}")
        up = world.Spike().restrict_by(world.Species & "species = 'rat'", via=via)
        assert keys(up) == joined(spike, source, "p.species = 'rat'")
        down = world.Session().restrict_by(world.Spike & f"spike = {number}", via=via)
        assert keys(down) == joined("s.subject, s.session", source, f"k.spike = {number}")
        down = world.Species().restrict_by(world.Spike & f"spike = {number}", via=via)
        assert keys(down) == joined("p.species", source, f"k.spike = {number}")
