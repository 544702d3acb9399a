"""Regions that several writers may write to at once."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from djflow.errors import RegionError, StorageError
from djflow.storage.staging.regions import around, check_region, region_of


@st.composite
def layouts(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], tuple[slice, ...]]:
    """A shape, the shape of chunks, and a selection."""
    axes = draw(st.integers(1, 3))
    shape = tuple(draw(st.integers(1, 9)) for _ in range(axes))
    chunks = tuple(draw(st.integers(1, 5)) for _ in range(axes))
    ends = [sorted(draw(st.tuples(st.integers(0, extent), st.integers(0, extent)))) for extent in shape]
    return shape, chunks, tuple(slice(start, stop) for start, stop in ends)


@given(layouts())
def test_a_region_passes_if_no_chunk_of_it_has_elements_outside(
    layout: tuple[tuple[int, ...], tuple[int, ...], tuple[slice, ...]],
) -> None:
    shape, chunks, selection = layout
    inside = np.zeros(shape, bool)
    inside[selection] = True
    counts = [range(0, extent, chunk) for extent, chunk in zip(shape, chunks, strict=True)]
    parts = [
        inside[tuple(slice(at, at + chunk) for at, chunk in zip(place, chunks, strict=True))]
        for place in product(*counts)
    ]
    if all(part.all() or not part.any() for part in parts):
        check_region(selection, shape, chunks)
    else:
        with pytest.raises(RegionError):
            check_region(selection, shape, chunks)


@given(layouts())
def test_the_region_that_is_proposed_passes_and_has_all_of_the_given_one(
    layout: tuple[tuple[int, ...], tuple[int, ...], tuple[slice, ...]],
) -> None:
    shape, chunks, selection = layout
    region = region_of(selection, shape)
    proposed = around(region, shape, chunks)
    check_region(tuple(slice(*bounds) for bounds in proposed), shape, chunks)
    assert all(a <= b and c >= d for (a, c), (b, d) in zip(proposed, region, strict=True))


@pytest.mark.parametrize(
    "selection", [[0, 1], slice(None, None, 2), np.array([True, False]), (0, 0, 0), (..., ...), 5, True, "a"]
)
def test_what_is_no_region_is_refused(selection: object) -> None:
    with pytest.raises(StorageError, match="no region"):
        check_region(selection, (5, 5), (5, 5))


def test_an_error_tells_the_region_the_chunks_and_what_would_do() -> None:
    with pytest.raises(RegionError) as caught:
        check_region((2, ...), (10, 3), (4, 3))
    error = caught.value
    assert (error.region, error.chunks, error.nearest) == ("[2:3, 0:3]", "(4, 3)", "[0:4, 0:3]")
