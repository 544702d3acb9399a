"""Questions and their answers: each function returns a query, and its docstring asks the question."""

import polars as pl

import djflow as dj

from .schema import Course, Department, Enrollment, Grade, Letter, Major, Requirement, Section, Student


def neighbours():
    """Who comes from Aston or Brook, and was born after 2003?"""
    return Student & {"town": ["Aston", "Brook"]} & "born > '2003-12-31'"


def astronomers():
    """Who studies astronomy? A query as a condition keeps the rows that match one of its rows."""
    return Student & (Major & {"department": "ASTR"})


def undecided():
    """Who has no major? Minus keeps the rows that match none."""
    return Student - Major


def ungraded():
    """Which students wait for a grade?"""
    return Student & (Enrollment - Grade)


def only_best():
    """Who has nothing but A? Those with grades, but for those with another one."""
    return (Student & Grade) - (Grade - {"letter": "A"})


def names():
    """What is everybody's full name, and the age at the beginning of 2025?"""
    return Student.proj(
        full_name="concat(first_name, ' ', last_name)", age="timestampdiff(YEAR, born, '2025-01-01')"
    )


def transcript():
    """Which courses did each student finish, with how many points? A join matches what has one origin."""
    return (Grade * Letter * Course).proj("name", "credits", "letter", "points")


def with_majors():
    """Everybody's major, also of those who have none: `extend` is the left join."""
    return Student.extend(Major).proj("last_name", "department")


def averages():
    """What is each student's average, weighed by credits?"""
    weighed = (Grade * Letter * Course).proj("credits", weight="points * credits")
    return Student.aggr(weighed, average="sum(weight) / sum(credits)", exclude_nonmatching=True)


def honours():
    """Who has an average of 3.5 or more? Queries build upon queries."""
    return averages() & "average >= 3.5"


def best():
    """Which five averages are the best?"""
    return Student.proj("first_name", "last_name") * averages() & dj.Top(5, "average DESC")


def sizes():
    """How many attend each section, the empty ones included?"""
    return Section.aggr(Enrollment, "room", students="count(student)")


def towns():
    """Which towns do the students come from? A universal set regroups by any attribute."""
    return dj.U("town") & Student


def grades_by_department():
    """How often does each department give each grade?"""
    return dj.U("department", "letter").aggr(Grade, times="count(*)")


def whole():
    """How many students are there, and who is the oldest? The empty universal set has one group."""
    return dj.U().aggr(Student, students="count(*)", oldest="min(born)")


def classmates():
    """Which pairs met in five sections or more? One side is renamed, so that a table meets itself."""
    pairs = Enrollment * Enrollment.proj(other="student") & "student < other"
    return dj.U("student", "other").aggr(pairs, together="count(*)") & "together >= 5"


def too_early():
    """Who sits in a course without ever having passed what it requires?"""
    passed = (Grade & "letter <> 'F'").proj(
        required_department="department",
        required_course="course",
        passed_year="year",
        passed_season="season",
        passed_section="section",
    )
    return Enrollment * Requirement - passed


def invited():
    """Who is invited: those with honours, and all who study history? A union has each key once."""
    return honours().proj() + (Student & (Major & {"department": "HIST"})).proj()


def far_away():
    """Which departments has anybody from Elmstead got an A in? Foreign keys lead there by themselves."""
    return Department >> (Grade.proj("letter") & "letter = 'A'" & (Student & "town = 'Elmstead'"))


def listed():
    """What have the people of a list taken? A local frame is a condition, or joins."""
    people = pl.DataFrame({"student": [1001, 1002], "remark": ["asked by phone", "asked by mail"]})
    return (Enrollment * people).proj("remark")


TOUR = (
    neighbours,
    astronomers,
    undecided,
    ungraded,
    only_best,
    names,
    transcript,
    with_majors,
    averages,
    honours,
    best,
    sizes,
    towns,
    grades_by_department,
    whole,
    classmates,
    too_early,
    invited,
    far_away,
    listed,
)
