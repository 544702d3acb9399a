"""A star of tables: five million responses of subjects in sessions, with the dimensions around them.

The definitions, the rows and the queries are the same for djflow and for DataJoint.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from benchmarks.timing import scaled

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

RESPONSES: Final = 5_000_000
SUBJECTS: Final = 200
SESSIONS_OF_SUBJECT: Final = 100
SPECIES: Final = ("mouse", "rat", "ferret", "gerbil", "vole")
RIGS: Final = 50
EXPERIMENTERS: Final = 20

DEFINITIONS: Final[Mapping[str, str]] = {
    "Species": """
        species : varchar(16)
        ---
        latin : varchar(32)
        """,
    "Rig": """
        rig : int16
        ---
        kind : enum('box', 'wheel', 'arena')
        room : varchar(8)
        """,
    "Experimenter": """
        experimenter : varchar(16)
        ---
        joined : date
        """,
    "Subject": """
        subject : int32
        ---
        -> Species
        sex : enum('M', 'F', 'U')
        weight : float64
        """,
    "Session": """
        -> Subject
        session : int32
        ---
        -> Rig
        -> Experimenter
        day : date
        minutes : float64
        """,
    "Response": """
        -> Session
        response : int32
        ---
        outcome : enum('hit', 'miss', 'abort')
        rt : float64
        reward : decimal(6,3)
        tries : int32
        note = null : varchar(32)
        """,
}

Tables = Mapping[str, Any]


def declared(schema: Any, manual: type[Any]) -> Tables:
    """The classes of the star by name, declared in a schema of djflow or of DataJoint."""
    classes: dict[str, Any] = {}
    for name, definition in DEFINITIONS.items():
        classes[name] = schema(type(name, (manual,), {"definition": definition}), context=classes)
    return classes


def responses_of_session() -> int:
    """How many responses each session has."""
    return max(1, scaled(RESPONSES) // (SUBJECTS * SESSIONS_OF_SUBJECT))


def dimensions() -> Iterator[tuple[str, "pl.DataFrame"]]:
    """The rows of all tables but the responses, parents first."""
    import numpy as np
    import polars as pl

    random = np.random.default_rng(11)
    yield "Species", pl.DataFrame({"species": SPECIES, "latin": [f"{name} vulgaris" for name in SPECIES]})
    rig = np.arange(RIGS, dtype=np.int16)
    yield (
        "Rig",
        pl.DataFrame(
            {
                "rig": rig,
                "kind": np.array(["box", "wheel", "arena"])[rig % 3],
                "room": [f"room {number % 7}" for number in rig],
            }
        ),
    )
    people = [f"person-{number}" for number in range(EXPERIMENTERS)]
    yield "Experimenter", pl.DataFrame({"experimenter": people}).with_columns(joined=_day(pl.int_range(20)))
    yield (
        "Subject",
        pl.DataFrame(
            {
                "subject": np.arange(SUBJECTS, dtype=np.int32),
                "species": np.array(SPECIES)[random.integers(0, len(SPECIES), SUBJECTS)],
                "sex": np.array(["M", "F", "U"])[random.choice(3, SUBJECTS, p=[0.48, 0.48, 0.04])],
                "weight": random.normal(25, 3, SUBJECTS),
            }
        ),
    )
    yield "Session", _sessions(random)


def _sessions(random: "np.random.Generator") -> "pl.DataFrame":
    import numpy as np
    import polars as pl

    number = np.arange(SUBJECTS * SESSIONS_OF_SUBJECT)
    people = random.integers(0, EXPERIMENTERS, len(number))
    return pl.DataFrame(
        {
            "subject": (number // SESSIONS_OF_SUBJECT).astype(np.int32),
            "session": (number % SESSIONS_OF_SUBJECT).astype(np.int32),
            "rig": random.integers(0, RIGS, len(number)).astype(np.int16),
            "experimenter": [f"person-{person}" for person in people],
            "minutes": random.normal(60, 10, len(number)),
        }
    ).with_columns(day=_day(pl.col("session")))


def _day(number: "pl.Expr") -> "pl.Expr":
    import polars as pl

    return pl.date(2024, 1, 1) + number * pl.duration(days=1)


def responses(subjects: range) -> "pl.DataFrame":
    """The responses of some subjects, in the order of the key: a million rows of 40 subjects at scale 1."""
    import numpy as np
    import polars as pl

    each = responses_of_session()
    number = np.arange(len(subjects) * SESSIONS_OF_SUBJECT * each)
    random = np.random.default_rng(100 + subjects.start)
    tries = random.integers(1, 9, len(number)).astype(np.int32)
    tries[random.random(len(number)) < 0.7 / each] = 9  # about half of the sessions have such a response
    return pl.DataFrame(
        {
            "subject": (subjects.start + number // (SESSIONS_OF_SUBJECT * each)).astype(np.int32),
            "session": (number // each % SESSIONS_OF_SUBJECT).astype(np.int32),
            "response": (number % each).astype(np.int32),
            "outcome": np.array(["hit", "miss", "abort"])[random.choice(3, len(number), p=[0.5, 0.4, 0.1])],
            "rt": random.gamma(2.0, 0.2, len(number)),
            "reward": random.integers(0, 9_999, len(number)) / 1000,
            "tries": tries,
        }
    ).with_columns(
        pl.col("reward").cast(pl.Decimal(6, 3)),
        note=pl.when(pl.col("tries") == 1).then(pl.lit("first try")),
    )


def some_keys(count: int) -> "pl.DataFrame":
    """Keys of random responses, in no order."""
    import numpy as np
    import polars as pl

    each = responses_of_session()
    random = np.random.default_rng(5)
    number = random.choice(SUBJECTS * SESSIONS_OF_SUBJECT * each, count, replace=False)
    return pl.DataFrame(
        {
            "subject": number // (SESSIONS_OF_SUBJECT * each),
            "session": number // each % SESSIONS_OF_SUBJECT,
            "response": number % each,
        }
    )


KEYS: Final = 10_000

Query = Callable[[Any, Any], Any]


def _keys(_dj: Any, t: Any) -> Any:
    return t.Response & some_keys(scaled(KEYS)).to_dicts()


# Each takes the module, djflow or datajoint, and a namespace of its tables.
QUERIES: Final[Mapping[str, Query]] = {
    "semi-join": lambda _dj, t: t.Session & (t.Subject & "sex = 'M'"),
    "semi-joins up": lambda _dj, t: (
        t.Response & (t.Session & (t.Rig & "kind = 'arena'") & (t.Subject & "species = 'rat'")) & "rt < 0.1"
    ),
    "semi-join down": lambda _dj, t: t.Session & (t.Response & "rt > 2.5"),
    "anti-join": lambda _dj, t: t.Session - (t.Response & "tries > 8"),
    "join of dimensions": lambda _dj, t: t.Session * t.Subject * t.Species * t.Rig & "minutes > 50",
    "wide join": lambda _dj, t: (
        t.Response.proj("outcome", "rt", "tries") * t.Session * t.Subject & "outcome = 'hit'" & "rt < 0.31"
    ),
    "aggregate by session": lambda _dj, t: t.Session.aggr(
        t.Response, n="count(response)", mean_rt="avg(rt)", best="min(rt)"
    ),
    "aggregate by subject": lambda _dj, t: t.Subject.aggr(
        t.Response & "outcome = 'hit'", hits="count(response)", mean_rt="avg(rt)", earned="sum(reward)"
    ),
    "aggregate of a join, by species": lambda _dj, t: t.Species.aggr(
        t.Response * t.Subject.proj("species"), n="count(response)", mean_rt="avg(rt)"
    ),
    "aggregate of a join, by rig": lambda _dj, t: t.Rig.aggr(
        t.Response * t.Session.proj("rig"), n="count(response)", worst="max(rt)"
    ),
    "aggregate of an aggregate": lambda _dj, t: t.Subject.aggr(
        t.Session.aggr(t.Response, n="count(response)", mean_rt="avg(rt)"),
        most="max(n)",
        quickest="min(mean_rt)",
    ),
    "restricted aggregate": lambda _dj, t: (
        t.Session.aggr(t.Response, n="count(response)", mean_rt="avg(rt)") & "subject < 5" & "mean_rt > 0.4"
    ),
    "top": lambda dj, t: t.Response & dj.Top(100, "rt DESC"),
    "top of a join": lambda dj, t: (
        t.Response * t.Session.proj("rig", "day") * t.Subject.proj("species", "sex")
        & "outcome = 'hit'"
        & dj.Top(100, "rt DESC")
    ),
    "distinct": lambda dj, t: dj.U("outcome", "tries") & t.Response,
    "group by any attribute": lambda dj, t: dj.U("outcome").aggr(t.Response, n="count(*)", mean_rt="avg(rt)"),
    "summary of a table": lambda dj, t: dj.U().aggr(
        t.Response, n="count(*)", mean_rt="avg(rt)", worst="max(rt)"
    ),
    "range of a computed attribute": lambda _dj, t: (
        t.Response.proj("tries", speed="1 / rt") & "speed BETWEEN 10 AND 10.5"
    ),
    "extend": lambda _dj, t: (t.Response & "tries = 9").extend(t.Session).extend(t.Subject),
    "restricted by a list of keys": _keys,
}
