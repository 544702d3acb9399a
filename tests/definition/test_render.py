import warnings

from hypothesis import given
from inline_snapshot import snapshot

from djflow.definition import parse, render
from djflow.errors import NativeTypeWarning
from djflow.model.table import TableSpec
from djflow.testing.strategies import table_specs


@given(table_specs())
def test_parsing_inverts_rendering(spec: TableSpec) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NativeTypeWarning)
        assert parse(render(spec)) == spec


def test_columns_are_aligned() -> None:
    spec = parse(
        """
        # Animal subjects
        subject_id:int32 # id
        ---
        ->Species
        ->[unique,nullable]Subject.proj(mate_id="subject_id")
        name=null:varchar(40) # nick
        sex="U":enum("M","it's")  # the label list of this line is short
        """.replace('"U"', '"M"')
    )
    assert render(spec) == snapshot("""\
# Animal subjects
subject_id  : int32              # id
---
-> Species
-> [nullable, unique] Subject.proj(mate_id='subject_id')
name = null : varchar(40)        # nick
sex = 'M'   : enum('M','it''s')  # the label list of this line is short
""")


def test_a_long_line_does_not_push_the_others() -> None:
    spec = parse(f"""
        a : int32  # first
        ---
        b = '{"x" * 60}' : varchar(60)
        c = CURRENT_TIMESTAMP : datetime
        index (c)
        unique index ((lower(b)), c)
        """)
    assert render(spec) == snapshot("""\
a                     : int32  # first
---
b = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' : varchar(60)
c = CURRENT_TIMESTAMP : datetime
index (c)
unique index ((lower(b)), c)
""")


def test_a_table_of_keys_has_no_separator_and_a_singleton_starts_with_one() -> None:
    assert render(parse("a : int32\n---\n")) == "a : int32\n"
    assert render(parse("---\na : int32")) == "---\na : int32\n"
