"""The queries of the star in the words of Ibis, on the same PostgreSQL."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final

from benchmarks.server import SCHEMA
from benchmarks.star import DEFINITIONS

Query = Callable[[Any, Any], Any]

# Ibis neither compares nor fetches columns of enums: they have to be cast.
_ENUMS: Final = {"Rig": "kind", "Subject": "sex", "Response": "outcome"}


def tables(connection: Any) -> SimpleNamespace:
    """The tables of the star, their enums as text."""
    found = {name: connection.table(name.lower(), database=SCHEMA) for name in DEFINITIONS}
    for name, column in _ENUMS.items():
        found[name] = found[name].mutate(**{column: found[name][column].cast("string")})
    return SimpleNamespace(**found)


def _left(table: Any, other: Any, on: tuple[str, ...]) -> Any:
    """A left join without the columns that Ibis would repeat."""
    return table.left_join(other, list(on), rname="{name}_again").drop(*(f"{name}_again" for name in on))


# Each takes the module and the tables.
QUERIES: Final[Mapping[str, Query]] = {
    "semi-join": lambda _i, t: t.Session.semi_join(t.Subject.filter(t.Subject.sex == "M"), "subject"),
    "semi-joins up": lambda i, t: t.Response.filter(i._.rt < 0.1).semi_join(
        t.Session.semi_join(t.Rig.filter(i._.kind == "arena"), "rig").semi_join(
            t.Subject.filter(i._.species == "rat"), "subject"
        ),
        ["subject", "session"],
    ),
    "semi-join down": lambda i, t: t.Session.semi_join(
        t.Response.filter(i._.rt > 2.5), ["subject", "session"]
    ),
    "anti-join": lambda i, t: t.Session.anti_join(t.Response.filter(i._.tries > 8), ["subject", "session"]),
    "join of dimensions": lambda i, t: (
        t.Session.filter(i._.minutes > 50)
        .inner_join(t.Subject, "subject")
        .inner_join(t.Species, "species")
        .inner_join(t.Rig, "rig")
    ),
    "wide join": lambda i, t: (
        t.Response.select("subject", "session", "response", "outcome", "rt", "tries")
        .filter(i._.outcome == "hit", i._.rt < 0.31)
        .inner_join(t.Session, ["subject", "session"])
        .inner_join(t.Subject, "subject")
    ),
    "aggregate by session": lambda i, t: _left(
        t.Session.select("subject", "session"),
        t.Response.group_by("subject", "session").agg(
            n=i._.count(), mean_rt=i._.rt.mean(), best=i._.rt.min()
        ),
        ("subject", "session"),
    ),
    "aggregate by subject": lambda i, t: _left(
        t.Subject.select("subject"),
        t.Response.filter(i._.outcome == "hit")
        .group_by("subject")
        .agg(hits=i._.count(), mean_rt=i._.rt.mean(), earned=i._.reward.sum()),
        ("subject",),
    ),
    "aggregate of a join, by species": lambda i, t: (
        t.Response.inner_join(t.Subject, "subject")
        .group_by("species")
        .agg(n=i._.response.count(), mean_rt=i._.rt.mean())
    ),
    "aggregate of a join, by rig": lambda i, t: (
        t.Response.inner_join(t.Session, ["subject", "session"])
        .group_by("rig")
        .agg(n=i._.response.count(), worst=i._.rt.max())
    ),
    "aggregate of an aggregate": lambda i, t: (
        t.Response.group_by("subject", "session")
        .agg(n=i._.count(), mean_rt=i._.rt.mean())
        .group_by("subject")
        .agg(most=i._.n.max(), quickest=i._.mean_rt.min())
    ),
    "restricted aggregate": lambda i, t: (
        t.Response.group_by("subject", "session")
        .agg(n=i._.count(), mean_rt=i._.rt.mean())
        .filter(i._.subject < 5, i._.mean_rt > 0.4)
    ),
    "top": lambda i, t: t.Response.order_by(i.desc("rt"), "subject", "session", "response").limit(100),
    "top of a join": lambda i, t: (
        t.Response.filter(i._.outcome == "hit")
        .inner_join(t.Session.select("subject", "session", "rig", "day"), ["subject", "session"])
        .inner_join(t.Subject.select("subject", "species", "sex"), "subject")
        .order_by(i.desc("rt"), "subject", "session", "response")
        .limit(100)
    ),
    "distinct": lambda _i, t: t.Response.select("outcome", "tries").distinct(),
    "group by any attribute": lambda i, t: t.Response.group_by("outcome").agg(
        n=i._.count(), mean_rt=i._.rt.mean()
    ),
    "summary of a table": lambda i, t: t.Response.agg(
        n=i._.count(), mean_rt=i._.rt.mean(), worst=i._.rt.max()
    ),
    "range of a computed attribute": lambda i, t: t.Response.select(
        "subject", "session", "response", "tries", speed=1 / i._.rt
    ).filter(i._.speed.between(10, 10.5)),
    "extend": lambda i, t: _left(
        _left(t.Response.filter(i._.tries == 9), t.Session, ("subject", "session")), t.Subject, ("subject",)
    ),
}


def by_keys(ibis: Any, t: Any, keys: Any) -> Any:
    """The responses with one of the keys of a frame, which Ibis sends along."""
    return t.Response.semi_join(ibis.memtable(keys), ["subject", "session", "response"])
