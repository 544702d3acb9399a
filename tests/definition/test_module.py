import ast
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from djflow.definition.class_names import class_names, find_table, is_declarable
from djflow.definition.module import Written, module_source, quoted
from djflow.definition.module_order import declaration_order, dependency_order
from djflow.model.names import TableName, table_name
from djflow.model.table import Attribute, ForeignKey, Table
from djflow.model.types import CoreType
from djflow.testing.modules import stored_schemas

INT = CoreType("int32")
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8
) | st.from_regex(r"[#_]{0,2}[a-z][a-z0-9_]{0,6}", fullmatch=True)


def table(name: str, *parents: str, comment: str = "") -> Table:
    key = Attribute("id", INT, INT, in_key=True)
    own = [Attribute(f"{parent.strip('#_')}_id", INT, INT) for parent in parents]
    keys = [
        ForeignKey(TableName("lab", parent), ((column.name, "id"),))
        for parent, column in zip(parents, own, strict=True)
    ]
    return Table(TableName("lab", name), comment, (key, *own), tuple(keys))


def classes(text: str) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef))


@given(st.sets(NAMES))
def test_class_names_are_identifiers_no_two_alike(tables: set[str]) -> None:
    names = class_names(TableName("lab", name) for name in tables)
    assert {name.table for name in names} == tables
    assert len(set(names.values())) == len(tables)
    assert all(piece.isidentifier() for path in names.values() for piece in path.split("."))
    assert all(
        name.master not in names or path.startswith(names[name.master]) for name, path in names.items()
    )


@given(st.sets(NAMES))
def test_a_table_is_found_by_its_own_name(tables: set[str]) -> None:
    names = [TableName("lab", name) for name in tables]
    assert all(find_table(name.table, names, schema="lab") == name for name in names)


@given(NAMES)
def test_a_declarable_name_is_the_one_that_its_class_declares(name: str) -> None:
    target = TableName("lab", name)
    if is_declarable(target) and target.master is None:
        assert table_name("lab", target.class_path, target.tier) == target
        assert class_names([target]) == {target: target.class_path}


@given(stored_schemas("lab"))
def test_a_module_is_python_with_a_class_for_each_table(tables: tuple[Table, ...]) -> None:
    text = module_source(Written("lab", tables))
    assert len(list(classes(text))) == len(tables)


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_any_text_survives_as_a_python_string(text: str) -> None:
    assert ast.literal_eval(quoted(text)) == text


@given(st.text(st.sampled_from("\"\\'#\t\x0b\x85\u2028\u202ea{}"), max_size=12))
def test_no_comment_ends_its_definition(comment: str) -> None:
    clean = comment.strip()
    [found] = classes(module_source(Written("lab", [table("rig", comment=clean)])))
    [assignment] = [node for node in found.body if isinstance(node, ast.Assign)]
    definition = ast.literal_eval(assignment.value)
    assert definition.split("\n")[1] == (f"    # {clean}" if clean else "    id : int32")


def test_other_schemas_get_variables_that_hide_nothing() -> None:
    parents = [Table(TableName(name, "rig"), "", (Attribute("id", INT, INT, in_key=True),)) for name in
               ("dj", "class", "2nd lab", "2nd-lab", "definition")]  # fmt: skip
    keys = tuple(ForeignKey(parent.name, ((f"id{place}", "id"),)) for place, parent in enumerate(parents))
    own = tuple(Attribute(f"id{place}", INT, INT) for place, _ in enumerate(parents))
    child = Table(TableName("lab", "run"), "", (Attribute("run", INT, INT, in_key=True), *own), keys)
    text = module_source(Written("lab", [child, *parents], modules={"dj": "labs.dj"}))
    assert "import labs.dj as dj_\n" in text
    for line in (
        'schema_2nd_lab = dj.virtual_schema("2nd lab")',
        'schema_2nd_lab_ = dj.virtual_schema("2nd-lab")',
        'class_ = dj.virtual_schema("class")',
        'definition_ = dj.virtual_schema("definition")',
        "    -> class_.Rig.proj(id1='id')",
    ):
        assert line in text.splitlines()
    assert "not declared here" not in text


def test_masters_stand_with_their_parts_after_what_these_refer_to() -> None:
    tables = [table("a__x", "a", "b"), table("b"), table("a"), table("c", "a__x")]
    units = [[t.name.table for t in unit] for unit in declaration_order(tables)]
    assert units == [["b"], ["a", "a__x"], ["c"]]
    circle = [table("z", "y"), table("y", "z"), table("x", "y"), table("w")]
    assert [t.name.table for t in dependency_order(circle)] == ["w", "y", "z", "x"]
