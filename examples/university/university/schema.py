"""The tables of the university."""

import djflow as dj

schema = dj.Schema("example_university")


@schema
class Department(dj.Manual):
    definition = """
    department : varchar(4)     # as in ASTR
    ---
    title : varchar(40)
    """


@schema
class Student(dj.Manual):
    definition = """
    student : int32             # number of matriculation
    ---
    first_name : varchar(20)
    last_name : varchar(20)
    town : varchar(20)
    born : date
    """


@schema
class Major(dj.Manual):
    definition = """
    # What students chose; some have not yet
    -> Student
    ---
    -> Department
    since : date
    """


@schema
class Course(dj.Manual):
    definition = """
    -> Department
    course : int16              # as in ASTR 101
    ---
    name : varchar(40)
    credits : int16
    """


@schema
class Requirement(dj.Manual):
    definition = """
    # Courses that must be passed before a course
    -> Course
    -> Course.proj(required_department='department', required_course='course')
    """


@schema
class Term(dj.Manual):
    definition = """
    year : int16
    season : enum('spring', 'autumn')
    """


@schema
class Section(dj.Manual):
    definition = """
    # A course as it is taught in a term, perhaps to several groups
    -> Course
    -> Term
    section : char(1)
    ---
    room : varchar(8)
    """


@schema
class Enrollment(dj.Manual):
    definition = """
    -> Student
    -> Section
    """


@schema
class Letter(dj.Lookup):
    definition = """
    letter : char(1)
    ---
    points : decimal(2,1)
    """
    contents = [("A", 4), ("B", 3), ("C", 2), ("D", 1), ("F", 0)]


@schema
class Grade(dj.Manual):
    definition = """
    # Enrollments that ended; the last term has no grades yet
    -> Enrollment
    ---
    -> Letter
    """
