from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from djflow.definition import bind, parse, render, unbind
from djflow.errors import DefinitionError
from djflow.model.names import TableName, Tier, table_name
from djflow.model.table import AttributeSpec, ForeignKeySpec, Line, Null, Table, TableSpec
from djflow.model.types import CodecType, CoreType

PIPELINE = (
    (
        "Species",
        Tier.LOOKUP,
        """
        # species
        species : varchar(20)
        """,
    ),
    (
        "Subject",
        Tier.MANUAL,
        """
        # Animal subjects
        subject_id : int32   # id
        ---
        -> Species
        name = null : varchar(40)   # nick
        sex = 'U' : enum('M','F','U')
        dob : date
        weight : decimal(8,3)
        uid = null : uuid
        meta = null : json
        ts = CURRENT_TIMESTAMP : datetime
        f : float32
        b : bool
        raw = null : bytes
        unique index (name)
        index (dob, sex)
        """,
    ),
    (
        "Session",
        Tier.MANUAL,
        """
        -> Subject
        session_idx : int16
        ---
        session_date : date
        -> [nullable] Subject.proj(mate_id='subject_id')
        trace : <blob>
        arr : <npy@main>
        bigb : <blob@main>
        """,
    ),
    (
        "Session.Trial",
        Tier.PART,
        """
        -> master
        trial : int8
        ---
        rt = null: float64
        """,
    ),
    (
        "Cfg",
        Tier.LOOKUP,
        """
        # singleton
        ---
        a : int32
        """,
    ),
    (
        "Spec",
        Tier.IMPORTED,
        """
        -> Session
        ---
        x : float64
        """,
    ),
    (
        "Ana",
        Tier.COMPUTED,
        """
        -> Spec
        -> Species
        ---
        y : float64
        z : <blob>
        """,
    ),
    (
        "Ana.P",
        Tier.PART,
        """
        -> master
        i : int32
        ---
        v : float32
        """,
    ),
)


def stored(type_: CodecType) -> CoreType:
    if type_.name == "npy" and type_.store is None:
        raise DefinitionError("<npy> needs a store.", hint="Write <npy@>.")
    return CoreType("bytes" if type_.store is None else "json")


def declare(
    text: str,
    name: TableName,
    known: Mapping[str, Table] | None = None,
    *,
    job_metadata: bool = False,
    allow_new_key: bool = False,
) -> Table:
    return bind_spec(parse(text), name, known or {}, job_metadata=job_metadata, allow_new_key=allow_new_key)


def bind_spec(
    spec: TableSpec,
    name: TableName,
    known: Mapping[str, Table],
    *,
    job_metadata: bool = False,
    allow_new_key: bool = False,
) -> Table:
    by_name = {table.name: table for table in known.values()}

    def resolve(reference: str) -> Table:
        return by_name[name.master] if reference == "master" and name.master else known[reference]

    return bind(
        spec,
        name,
        resolve=resolve,
        codec_dtype=stored,
        job_metadata=job_metadata,
        allow_new_key=allow_new_key,
    )


def pipeline() -> dict[str, Table]:
    tables: dict[str, Table] = {}
    for path, tier, definition in PIPELINE:
        master, _, own = path.rpartition(".")
        name = table_name("lab", own, tier, tables[master].name if master else None)
        tables[path] = declare(definition, name, tables, job_metadata=True)
    return tables


LAB = pipeline()


def path_of(name: TableName) -> str:
    return next(path for path, table in LAB.items() if table.name == name)


def summary(table: Table) -> list[str]:
    marks = [
        f"{'*' if c.in_key else ''}{c.name}{'?' if c.nullable else ''} {c.type} <- {c.lineage}"
        for c in table.columns
    ]
    return [*marks, *(f"{fk.parent} {dict(fk.columns)}" for fk in table.foreign_keys)]


def test_the_pipeline_binds_to_the_layout_of_its_database() -> None:
    assert [str(table.name) for table in LAB.values()] == snapshot(
        [
            "lab.#species",
            "lab.subject",
            "lab.session",
            "lab.session__trial",
            "lab.#cfg",
            "lab._spec",
            "lab.__ana",
            "lab.__ana__p",
        ]
    )
    assert summary(LAB["Session"]) == snapshot(
        [
            "*subject_id int32 <- lab.subject.subject_id",
            "*session_idx int16 <- lab.session.session_idx",
            "session_date date <- None",
            "mate_id? int32 <- lab.subject.subject_id",
            "trace <blob> <- None",
            "arr <npy@main> <- None",
            "bigb <blob@main> <- None",
            "lab.subject {'subject_id': 'subject_id'}",
            "lab.subject {'mate_id': 'subject_id'}",
        ]
    )
    assert summary(LAB["Cfg"]) == snapshot(["a int32 <- None", "*_singleton bool <- lab.#cfg._singleton"])
    assert summary(LAB["Ana"]) == snapshot(
        [
            "*subject_id int32 <- lab.subject.subject_id",
            "*session_idx int16 <- lab.session.session_idx",
            "*species varchar(20) <- lab.#species.species",
            "y float64 <- None",
            "z <blob> <- None",
            "_job_start_time? datetime(3) <- None",
            "_job_duration? float32 <- None",
            "_job_version varchar(64) <- None",
            "lab._spec {'subject_id': 'subject_id', 'session_idx': 'session_idx'}",
            "lab.#species {'species': 'species'}",
        ]
    )
    assert summary(LAB["Ana.P"]) == snapshot(
        [
            "*subject_id int32 <- lab.subject.subject_id",
            "*session_idx int16 <- lab.session.session_idx",
            "*species varchar(20) <- lab.#species.species",
            "*i int32 <- lab.__ana__p.i",
            "v float32 <- None",
            "lab.__ana {'subject_id': 'subject_id', 'session_idx': 'session_idx', 'species': 'species'}",
        ]
    )


def test_codecs_are_stored_as_what_they_encode_to() -> None:
    heading = LAB["Session"].heading
    assert [str(heading[name].stored) for name in ("trace", "arr", "bigb")] == ["bytes", "json", "json"]


def test_columns_of_a_nullable_foreign_key_default_to_null() -> None:
    mate = LAB["Session"].heading["mate_id"]
    assert (mate.nullable, mate.default) == (True, Null())
    assert LAB["Session"].foreign_keys[1].nullable


def test_foreign_keys_share_columns_of_one_origin() -> None:
    table = declare("-> Session\n---\n-> Subject\n-> [nullable] Spec", TableName("lab", "note"), LAB)
    assert [column.name for column in table.columns] == ["subject_id", "session_idx"]
    assert all(foreign_key.in_key and not foreign_key.nullable for foreign_key in table.foreign_keys)


def test_a_shared_column_is_required_where_one_reference_is() -> None:
    text = "a : int32\n---\n-> [nullable] Session\n-> Subject"
    table = declare(text, TableName("lab", "note"), LAB)
    assert [(column.name, column.nullable) for column in table.columns] == [
        ("a", False),
        ("subject_id", False),
        ("session_idx", True),
    ]
    assert [foreign_key.nullable for foreign_key in table.foreign_keys] == [True, False]


def test_hidden_columns_come_last_and_only_where_they_belong() -> None:
    name = TableName("lab", "__all")
    hidden = [
        column.name
        for column in declare("---\nx : int32", name, job_metadata=True).columns
        if column.is_hidden
    ]
    assert hidden == ["_singleton", "_job_start_time", "_job_duration", "_job_version"]
    assert not any(column.is_hidden for column in LAB["Ana.P"].columns)
    assert not any(column.is_hidden for column in declare("-> Spec", TableName("lab", "__b"), LAB).columns)


def test_a_computed_table_may_have_its_own_key_where_that_is_allowed() -> None:
    table = declare("-> Spec\nrun : int32", TableName("lab", "__b"), LAB, allow_new_key=True)
    assert table.primary_key == ("subject_id", "session_idx", "run")


def test_an_index_may_name_inherited_attributes_and_expressions() -> None:
    table = declare("a : int32\n---\n-> Subject\nindex (subject_id, (a + 1))", TableName("lab", "note"), LAB)
    assert table.indexes == (parse("a : int32\nindex (subject_id, (a + 1))").indexes)


@pytest.mark.parametrize(
    ("table", "text", "reason", "hint"),
    [
        ("note", "-> Subject\nsubject_id : int32", "brings 'subject_id'", ".proj(new_name='subject_id')"),
        ("note", "subject_id : int32\n-> Subject", "brings 'subject_id'", ".proj("),
        ("note", "-> Subject.proj(species='subject_id')\n-> Species", "brings 'species'", ".proj("),
        ("note", "-> Cfg", "at most one row", "Leave the reference out"),
        ("note", "-> Subject.proj(a='subject')", "renames 'subject'", "Did you mean 'subject_id'?"),
        ("note", "-> Session.proj(subject_id='session_idx')", "two attributes of one name", "Rename both"),
        ("note", "a : int32\n---\nb : <npy>", "attribute 'b': <npy> needs a store", "<npy@>"),
        ("note", "-> Subject\nindex (subjectid)", "names 'subjectid'", "Did you mean 'subject_id'?"),
        ("session__x", "-> Subject", "does not refer to its master lab.session", "-> master"),
        ("session__x", "a : int32\n---\n-> Session", "does not refer to its master", "-> master"),
        ("__b", "-> Spec\nrun : int32", "'run' does not", "jobs.allow_new_pk_fields_in_computed_tables"),
    ],
)
def test_what_cannot_be_bound_says_why(table: str, text: str, reason: str, hint: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        declare(text, TableName("lab", table), LAB)
    assert reason in caught.value.reason
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "spec",
    [
        TableSpec(primary=(ForeignKeySpec("Subject", nullable=True),)),
        TableSpec(primary=(AttributeSpec("a", CoreType("int32"), Null()),)),
    ],
)
def test_no_key_is_nullable_even_in_a_spec_made_by_hand(spec: TableSpec) -> None:
    with pytest.raises(DefinitionError, match="cannot be null"):
        bind_spec(spec, TableName("lab", "note"), LAB)


def test_a_part_may_refer_to_its_master_through_another_part() -> None:
    part = declare("-> master\nx : int32", TableName("lab", "session__a"), LAB)
    below = declare(
        "-> Session.A.proj(y='x')\nz : int32", TableName("lab", "session__b"), {**LAB, "Session.A": part}
    )
    assert below.primary_key == ("subject_id", "session_idx", "y", "z")


def test_a_part_may_name_its_master_by_class() -> None:
    table = declare("-> Session\nx : int32", TableName("lab", "session__x"), LAB)
    assert unbind(table, class_path=path_of).primary[0] == ForeignKeySpec("master")


@pytest.mark.parametrize("path", LAB)
def test_describing_a_bound_table_gives_its_definition_back(path: str) -> None:
    definition = next(text for known, _, text in PIPELINE if known == path)
    assert unbind(LAB[path], class_path=path_of) == parse(definition)


def test_the_lines_of_shared_columns_stand_where_their_columns_do() -> None:
    spec = parse("-> Subject\nx : int32\n-> Session\n---\n-> [unique] Species")
    table = bind_spec(spec, TableName("lab", "note"), LAB)
    assert unbind(table, class_path=path_of) == spec
    shuffled = Table(table.name, "", table.columns, tuple(reversed(table.foreign_keys)))
    assert unbind(shuffled, class_path=path_of) == spec


NAMES = ("subject_id", "mate_id", "species", "session_idx", "x", "y")
KEYS: Mapping[str, tuple[str, ...]] = {
    path: LAB[path].primary_key for path in ("Species", "Subject", "Session", "Session.Trial", "Ana")
}


@st.composite
def references(draw: st.DrawFn, *, in_key: bool) -> ForeignKeySpec:
    parent = draw(st.sampled_from(sorted(KEYS)))
    old = draw(st.lists(st.sampled_from(KEYS[parent]), unique=True, max_size=2))
    new = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=len(old), max_size=len(old)))
    renames = tuple(zip(new, old, strict=True))
    return ForeignKeySpec(parent, renames, not in_key and draw(st.booleans()), draw(st.booleans()))


def lines(*, in_key: bool) -> st.SearchStrategy[list[Line]]:
    own = st.sampled_from(NAMES).map(lambda name: AttributeSpec(name, CoreType("int32")))
    return st.lists(st.one_of(references(in_key=in_key), own), max_size=4)


def bindable(sections: tuple[list[Line], list[Line]]) -> TableSpec:
    """The lines that bind, one after the other; those that clash are left out."""
    kept: tuple[list[Line], list[Line]] = ([], [])
    for lines_kept, section in zip(kept, sections, strict=True):
        for line in section:
            lines_kept.append(line)
            try:
                bind_spec(TableSpec("", tuple(kept[0]), tuple(kept[1])), TableName("lab", "note"), LAB)
            except DefinitionError:
                lines_kept.pop()
    return TableSpec("", tuple(kept[0]), tuple(kept[1]))


@given(
    st.tuples(lines(in_key=True), lines(in_key=False))
    .map(bindable)
    .filter(lambda s: s.primary or s.secondary)
)
def test_a_described_table_declares_the_same_table(spec: TableSpec) -> None:
    table = bind_spec(spec, TableName("lab", "note"), LAB)
    described = render(unbind(table, class_path=path_of))
    assert declare(described, table.name, LAB) == table
