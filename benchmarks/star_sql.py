"""The queries of the star in SQL by hand: for PostgreSQL as well as we know how, and for DuckDB.

All give the same rows as djflow. Where djflow promises an order, so does the text, or `order` names the
attributes to sort by in Polars, whichever is quicker.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Hand:
    """SQL for PostgreSQL, and the same for DuckDB where it needs other words.

    `decimals` travel as text, since the driver has no type for them, and become decimals of these sizes.
    """

    sql: str
    order: tuple[str, ...] = ()
    decimals: Mapping[str, tuple[int, int]] | None = None
    duckdb: str = ""


_RESPONSE: Final = (
    "subject, session, response, outcome::text AS outcome, rt, reward::text AS reward, tries, note"
)
_REWARD: Final = {"reward": (6, 3)}

HAND: Final[Mapping[str, Hand]] = {
    "semi-join": Hand("""
        SELECT * FROM bench.session
        WHERE subject IN (SELECT subject FROM bench.subject WHERE sex = 'M')
        ORDER BY subject, session
        """),
    "semi-joins up": Hand(
        f"""
        SELECT {_RESPONSE} FROM bench.response
        WHERE rt < 0.1 AND (subject, session) IN (
            SELECT subject, session
            FROM bench.session JOIN bench.rig USING (rig) JOIN bench.subject USING (subject)
            WHERE kind = 'arena' AND species = 'rat'
        )
        """,
        ("subject", "session", "response"),
        _REWARD,
    ),
    "semi-join down": Hand("""
        SELECT * FROM bench.session
        WHERE (subject, session) IN (SELECT subject, session FROM bench.response WHERE rt > 2.5)
        ORDER BY subject, session
        """),
    "anti-join": Hand("""
        SELECT * FROM bench.session AS s
        WHERE NOT EXISTS (
            SELECT 1 FROM bench.response AS r
            WHERE r.tries > 8 AND r.subject = s.subject AND r.session = s.session
        )
        ORDER BY subject, session
        """),
    "join of dimensions": Hand("""
        SELECT s.*, u.species, u.sex::text AS sex, u.weight, p.latin, g.kind::text AS kind, g.room
        FROM bench.session AS s JOIN bench.subject AS u USING (subject)
        JOIN bench.species AS p USING (species) JOIN bench.rig AS g USING (rig)
        WHERE minutes > 50
        ORDER BY s.subject, s.session
        """),
    "wide join": Hand(
        """
        SELECT r.subject, r.session, r.response, r.outcome::text AS outcome, r.rt, r.tries,
            s.rig, s.experimenter, s.day, s.minutes, u.species, u.sex::text AS sex, u.weight
        FROM bench.response AS r LEFT JOIN bench.session AS s USING (subject, session)
        LEFT JOIN bench.subject AS u ON u.subject = s.subject
        WHERE r.outcome = 'hit' AND r.rt < 0.31
        """,
        ("subject", "session", "response"),
    ),
    "aggregate by session": Hand(
        """
        SELECT subject, session, coalesce(n, 0) AS n, mean_rt, best
        FROM bench.session LEFT JOIN (
            SELECT subject, session, count(*) AS n, avg(rt) AS mean_rt, min(rt) AS best
            FROM bench.response GROUP BY subject, session
        ) AS r USING (subject, session)
        """,
        ("subject", "session"),
    ),
    "aggregate by subject": Hand(
        """
        SELECT subject, coalesce(hits, 0) AS hits, mean_rt, earned::text AS earned
        FROM bench.subject LEFT JOIN (
            SELECT subject, count(*) AS hits, avg(rt) AS mean_rt, sum(reward) AS earned
            FROM bench.response WHERE outcome = 'hit' GROUP BY subject
        ) AS r USING (subject)
        """,
        ("subject",),
        {"earned": (38, 3)},
    ),
    "aggregate of a join, by species": Hand(
        """
        SELECT species, coalesce(n, 0) AS n, mean_rt
        FROM bench.species LEFT JOIN (
            SELECT species, sum(n)::bigint AS n, sum(total) / sum(n)::float8 AS mean_rt
            FROM bench.subject JOIN (
                SELECT subject, count(*) AS n, sum(rt) AS total FROM bench.response GROUP BY subject
            ) AS r USING (subject)
            GROUP BY species
        ) AS s USING (species)
        """,
        ("species",),
    ),
    "aggregate of a join, by rig": Hand("""
        SELECT rig, coalesce(sum(n), 0)::bigint AS n, max(worst) AS worst
        FROM bench.rig LEFT JOIN bench.session USING (rig) LEFT JOIN (
            SELECT subject, session, count(*) AS n, max(rt) AS worst
            FROM bench.response GROUP BY subject, session
        ) AS r USING (subject, session)
        GROUP BY rig ORDER BY rig
        """),
    "aggregate of an aggregate": Hand("""
        SELECT subject, most, quickest
        FROM bench.subject LEFT JOIN (
            SELECT subject, max(coalesce(n, 0)) AS most, min(mean_rt) AS quickest
            FROM bench.session LEFT JOIN (
                SELECT subject, session, count(*) AS n, avg(rt) AS mean_rt
                FROM bench.response GROUP BY subject, session
            ) AS r USING (subject, session)
            GROUP BY subject
        ) AS s USING (subject)
        ORDER BY subject
        """),
    "restricted aggregate": Hand("""
        SELECT subject, session, count(*) AS n, avg(rt) AS mean_rt
        FROM bench.response
        WHERE subject < 5 GROUP BY subject, session HAVING avg(rt) > 0.4
        ORDER BY subject, session
        """),
    "top": Hand(
        f"""
        SELECT {_RESPONSE} FROM (
            SELECT * FROM bench.response ORDER BY rt DESC, subject, session, response LIMIT 100
        ) AS r
        ORDER BY rt DESC, subject, session, response
        """,
        decimals=_REWARD,
    ),
    "top of a join": Hand(
        """
        SELECT r.subject, r.session, r.response, r.outcome::text AS outcome, r.rt, r.reward::text AS reward,
            r.tries, r.note, s.rig, s.day, u.species, u.sex::text AS sex
        FROM (
            SELECT * FROM bench.response WHERE outcome = 'hit'
            ORDER BY rt DESC, subject, session, response LIMIT 100
        ) AS r JOIN bench.session AS s USING (subject, session) JOIN bench.subject AS u USING (subject)
        ORDER BY r.rt DESC, r.subject, r.session, r.response
        """,
        decimals=_REWARD,
    ),
    "distinct": Hand(
        "SELECT outcome::text AS outcome, tries FROM bench.response GROUP BY bench.response.outcome, tries",
        ("outcome", "tries"),
    ),
    "group by any attribute": Hand(
        """
        SELECT outcome::text AS outcome, count(*) AS n, avg(rt) AS mean_rt
        FROM bench.response GROUP BY bench.response.outcome
        """,
        ("outcome",),
    ),
    "summary of a table": Hand(
        "SELECT count(*) AS n, avg(rt) AS mean_rt, max(rt) AS worst FROM bench.response"
    ),
    "range of a computed attribute": Hand(
        """
        SELECT subject, session, response, tries, 1 / rt AS speed
        FROM bench.response WHERE 1 / rt BETWEEN 10 AND 10.5
        """,
        ("subject", "session", "response"),
    ),
    "extend": Hand(
        """
        SELECT r.subject, r.session, r.response, r.outcome::text AS outcome, r.rt, r.reward::text AS reward,
            r.tries, r.note, s.rig, s.experimenter, s.day, s.minutes, u.species, u.sex::text AS sex, u.weight
        FROM bench.response AS r LEFT JOIN bench.session AS s USING (subject, session)
        LEFT JOIN bench.subject AS u USING (subject)
        WHERE r.tries = 9
        """,
        ("subject", "session", "response"),
        _REWARD,
    ),
    "restricted by a list of keys": Hand(
        f"""
        SELECT {_RESPONSE} FROM bench.response
        JOIN unnest({{keys}}) AS keys(subject, session, response) USING (subject, session, response)
        """,
        ("subject", "session", "response"),
        _REWARD,
        duckdb=f"SELECT {_RESPONSE} FROM bench.response JOIN keys USING (subject, session, response)",
    ),
}


def with_keys(sql: str, keys: "pl.DataFrame") -> str:
    """The text with the keys written into it, since a query with parameters does not travel by COPY."""
    arrays = [f"'{{{','.join(map(str, column.to_list()))}}}'::int4[]" for column in keys]
    return sql.replace("{keys}", ", ".join(arrays))


def finished(frame: "pl.DataFrame", hand: Hand) -> "pl.DataFrame":
    """The rows in their exact types and their order."""
    import polars as pl

    casts = [pl.col(name).cast(pl.Decimal(*size)) for name, size in (hand.decimals or {}).items()]
    frame = frame.with_columns(casts) if casts else frame
    return frame.sort(hand.order) if hand.order else frame
