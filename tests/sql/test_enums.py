from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from djflow.model.names import TableName
from djflow.model.table import Attribute, ForeignKey, Table
from djflow.model.types import EnumType
from djflow.sql.enums import SchemaEnum, enum_type_name, enum_types, plan_enums

SEX = EnumType(("M", "F", "U"))
labels = st.lists(st.text("ab_", min_size=1, max_size=3), min_size=1, max_size=3, unique=True)


def test_the_usual_name_is_the_one_that_datajoint_gives() -> None:
    assert enum_type_name(SEX) == "enum_e54fc739"
    assert enum_type_name(EnumType(("pending", "reserved", "success", "error", "ignore"))) == "enum_609a743e"


def test_a_type_that_exists_is_used_again() -> None:
    plan = plan_enums([SchemaEnum("lab", SEX)], {"lab": {"enum_e54fc739": SEX}})
    assert plan.names == {SchemaEnum("lab", SEX): "enum_e54fc739"}
    assert plan.statements == ()


def test_another_order_of_the_labels_gets_a_name_from_its_order() -> None:
    other = EnumType(("U", "M", "F"))
    plan = plan_enums([SchemaEnum("lab", SEX), SchemaEnum("lab", other)], {})
    assert plan.statements == snapshot(
        (
            "CREATE TYPE \"lab\".\"enum_e54fc739\" AS ENUM ('M', 'F', 'U')",
            "CREATE TYPE \"lab\".\"enum_9749ff12\" AS ENUM ('U', 'M', 'F')",
        )
    )


@given(st.lists(labels.map(tuple).map(EnumType), max_size=6))
def test_no_two_enums_of_a_schema_share_a_name(enums: list[EnumType]) -> None:
    wanted = [SchemaEnum("lab", enum) for enum in enums]
    plan = plan_enums(wanted, {})
    assert len(set(plan.names.values())) == len(set(enums)) == len(plan.statements)
    existing = {"lab": {name: enum.type for enum, name in plan.names.items()}}
    assert plan_enums(reversed(wanted), existing).statements == ()


def test_an_inherited_column_uses_the_type_of_the_schema_that_declared_it() -> None:
    own = Attribute("sex", SEX, SEX, in_key=True, lineage="lab.b.sex")
    inherited = Attribute("side", SEX, SEX, in_key=True, lineage="anatomy.#side.side")
    fk = ForeignKey(TableName("lab", "middle"), (("side", "side"),), in_key=True)
    table = Table(TableName("lab", "b"), "", (inherited, own), (fk,))
    assert enum_types(table) == (SchemaEnum("anatomy", SEX), SchemaEnum("lab", SEX))
