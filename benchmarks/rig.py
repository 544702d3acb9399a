"""A pipeline to delete from: what depends on subjects, in six tables, as djflow and DataJoint declare it."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Final

# How SQL makes the rows: for each subject about 20,000 that depend on it.
FILL: Final[Mapping[str, str]] = {
    "rig_subject": "SELECT s FROM generate_series(1, {subjects}) s",
    "rig_session": "SELECT s, n FROM generate_series(1, {subjects}) s, generate_series(1, 200) n",
    "rig_session__trial": "SELECT subject, session, t, t / 7.0 FROM {schema}.rig_session,"
    " generate_series(1, 20) t",
    "rig_comment": "SELECT row_number() OVER (), subject, session FROM {schema}.rig_session,"
    " generate_series(1, 10) t",
    "rig_recording": "SELECT subject, session, 1 FROM {schema}.rig_session",
    "rig_recording__spike": "SELECT subject, session, recording, t, t * 0.001"
    " FROM {schema}.rig_recording, generate_series(1, 49) t",
    "__rig_outcome": "SELECT subject, session, trial, trial % 2 = 0 FROM {schema}.rig_session__trial",
}
# What somebody writes who knows the tables: children first, each by the column that came down to it.
BY_HAND: Final = (
    "DELETE FROM {schema}.__rig_outcome WHERE subject <= {most}",
    "DELETE FROM {schema}.rig_recording__spike WHERE subject <= {most}",
    "DELETE FROM {schema}.rig_recording WHERE subject <= {most}",
    "DELETE FROM {schema}.rig_comment WHERE subject <= {most}",
    "DELETE FROM {schema}.rig_session__trial WHERE subject <= {most}",
    "DELETE FROM {schema}.rig_session WHERE subject <= {most}",
    "DELETE FROM {schema}.rig_subject WHERE subject <= {most}",
)


def declared(schema: Any, dj: Any) -> SimpleNamespace:
    """The classes, on either library's schema."""

    @schema
    class RigSubject(dj.Manual):  # type: ignore[misc]
        definition = "subject : int32"

    @schema
    class RigSession(dj.Manual):  # type: ignore[misc]
        definition = """
        -> RigSubject
        session : int32
        """

        class Trial(dj.Part):  # type: ignore[misc]
            definition = """
            -> master
            trial : int32
            ---
            reaction : float64
            """

    @schema
    class RigComment(dj.Manual):  # type: ignore[misc]
        definition = """
        comment_id : int32
        ---
        -> RigSession
        """

    @schema
    class RigRecording(dj.Manual):  # type: ignore[misc]
        definition = """
        -> RigSession
        recording : int32
        """

        class Spike(dj.Part):  # type: ignore[misc]
            definition = """
            -> master
            spike : int32
            ---
            moment : float64
            """

    @schema
    class RigOutcome(dj.Computed):  # type: ignore[misc]
        definition = """
        -> RigSession.Trial
        ---
        correct : bool
        """

    return SimpleNamespace(
        **{cls.__name__: cls for cls in (RigSubject, RigSession, RigComment, RigRecording)}
    )
