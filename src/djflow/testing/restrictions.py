"""Hypothesis strategies of what rows are restricted by and joined with: dicts and frames of values."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from djflow.model.table import Attribute, Heading
from djflow.model.types import arrow_type
from djflow.relation.frames import Frame
from djflow.testing.databases import AWKWARD_TEXTS, values


def _wanted(attribute: Attribute) -> st.SearchStrategy[Any]:
    """Values to ask for: such as the column holds, others, none, several."""
    own = values(attribute.stored)
    return st.one_of(
        own, own, st.none(), st.lists(own, max_size=3), st.sampled_from((1e300, 0.25, "1", 2**70))
    )


@st.composite
def dicts(draw: st.DrawFn, heading: Heading) -> dict[str, Any]:
    """Equalities, of which some ask for attributes that the heading lacks."""
    names = draw(st.lists(st.sampled_from(heading.names), max_size=2, unique=True)) if heading.names else []
    condition: dict[str, Any] = {name: draw(_wanted(heading[name])) for name in names}
    documents = [a.name for a in heading if str(a.stored) == "json"]
    if documents and draw(st.integers(0, 3)) == 0:
        path = draw(st.sampled_from(("k", "s", "d.y", "0")))
        condition[f"{documents[0]}.{path}"] = draw(st.sampled_from((1, "it's", True, None, "2.5")))
    if draw(st.booleans()):
        condition["no_such_attribute"] = draw(st.sampled_from(AWKWARD_TEXTS))
    return condition


@st.composite
def frames(draw: st.DrawFn, heading: Heading) -> Any:
    """An Arrow table or a list of alike dicts, with attributes of the heading."""
    chosen = draw(_chosen(heading))
    rows = draw(st.lists(st.fixed_dictionaries({a.name: values(a.stored) for a in chosen}), max_size=4))
    return rows if draw(st.booleans()) else _table(chosen, rows)


@st.composite
def joinable_frames(draw: st.DrawFn, heading: Heading, own: str) -> Frame:
    """A frame to join with: attributes of the heading as its key, and a column of its own."""
    chosen = draw(_chosen(heading))
    rows = draw(st.lists(st.fixed_dictionaries({a.name: values(a.stored) for a in chosen}), max_size=4))
    once = list({tuple(map(str, row.values())): row for row in rows}.values())
    numbers = draw(st.lists(st.none() | st.integers(0, 3), min_size=len(once), max_size=len(once)))
    return Frame(_table(chosen, once, {own: pa.array(numbers, pa.int32())}), key=[a.name for a in chosen])


@st.composite
def _chosen(draw: st.DrawFn, heading: Heading) -> Sequence[Attribute]:
    plain = [a for a in heading if str(a.stored) not in ("json", "bytes")]
    return draw(st.lists(st.sampled_from(plain), max_size=2, unique=True)) if plain else []


def _table(
    chosen: Sequence[Attribute],
    rows: list[dict[str, Any]],
    more: Mapping[str, pa.Array] = MappingProxyType({}),
) -> pa.Table:
    columns = {a.name: pa.array([row[a.name] for row in rows], arrow_type(a.stored)) for a in chosen}
    return pa.table({**columns, **more})
