"""Invented rows, the same each time."""

from datetime import date, timedelta
from itertools import product
from random import Random

from .schema import Course, Department, Enrollment, Grade, Major, Requirement, Section, Student, Term, schema

FIRST = "Ada Ben Cleo Dan Eva Finn Gia Hugo Iris Jon Kira Leo Mia Nils Olga Paul Rosa Sam Tara Uwe".split()
LAST = "Abel Berg Costa Diaz Ek Faro Gomez Hahn Ivanov Jansen Kim Lund Moreau Novak Okafor Petit".split()
TOWNS = "Aston Brook Clifton Dunmore Elmstead".split()
DEPARTMENTS = [("ASTR", "Astronomy"), ("BIOL", "Biology"), ("HIST", "History"), ("MATH", "Mathematics")]
COURSES = [
    ("ASTR", 101, "The night sky", 3),
    ("ASTR", 201, "Stars", 4),
    ("ASTR", 301, "Galaxies", 4),
    ("BIOL", 101, "Cells", 4),
    ("BIOL", 201, "Genes", 4),
    ("BIOL", 202, "Brains", 3),
    ("HIST", 101, "How to read a source", 2),
    ("HIST", 201, "Cities", 3),
    ("HIST", 301, "Archives", 3),
    ("MATH", 101, "Calculus", 4),
    ("MATH", 102, "Linear algebra", 4),
    ("MATH", 201, "Probability", 3),
]
REQUIREMENTS = [
    ("ASTR", 201, "ASTR", 101),
    ("ASTR", 201, "MATH", 101),
    ("ASTR", 301, "ASTR", 201),
    ("BIOL", 201, "BIOL", 101),
    ("BIOL", 202, "BIOL", 101),
    ("HIST", 201, "HIST", 101),
    ("MATH", 201, "MATH", 101),
]
TERMS = [(2023, "autumn"), (2024, "spring"), (2024, "autumn"), (2025, "spring")]
LETTERS = "ABCDF"
DAUNTING = ("HIST", 301)  # nobody takes it


def letter(trouble, luck):
    """The letter for a student's trouble with studying and the luck of the day, both from 0 to 1."""
    return LETTERS[int(len(LETTERS) * (0.8 * trouble + 0.2 * luck))]


def fill(students=200, seed=4):
    """Insert everything at once, unless it is there."""
    if Department():
        return
    random = Random(seed)

    def any_of(options):
        return options[int(random.random() * len(options))]

    def some_day(first, days):
        return first + timedelta(days=int(random.random() * days))

    numbers = range(1000, 1000 + students)
    people = [
        (n, any_of(FIRST), any_of(LAST), any_of(TOWNS), some_day(date(2000, 1, 1), 2000)) for n in numbers
    ]
    majors = [
        (n, any_of(DEPARTMENTS)[0], some_day(date(2023, 9, 1), 500)) for n in numbers if random.random() < 0.8
    ]
    sections = [
        (department, number, year, season, section, f"{any_of('NESW')}{any_of('12345')}")
        for (department, number, _, _), (year, season) in product(COURSES, TERMS)
        for section in ("ab" if number < 200 else "a")
    ]
    enrollments, grades = [], []
    for n in numbers:
        trouble = random.random()
        for year, season in TERMS:
            if random.random() < 0.2:
                continue  # a term elsewhere
            offered = [row[:5] for row in sections if row[2:4] == (year, season) and row[:2] != DAUNTING]
            chosen = {row[:2]: row for row in (any_of(offered) for _ in range(3))}  # one section a course
            enrollments += [(n, *row) for row in chosen.values()]
            if (year, season) != TERMS[-1]:
                grades += [(n, *row, letter(trouble, random.random())) for row in chosen.values()]

    with schema.transaction:
        Department.insert(DEPARTMENTS)
        Course.insert(COURSES)
        Requirement.insert(REQUIREMENTS)
        Term.insert(TERMS)
        Student.insert(people)
        Major.insert(majors)
        Section.insert(sections)
        Enrollment.insert(enrollments)
        Grade.insert(grades)
