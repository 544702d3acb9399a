"""Stored arrays with named dimensions, as xarray has them."""

from types import ModuleType
from typing import TYPE_CHECKING, Any

from djflow.errors import DjflowError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr
    import zarr

    from djflow.storage.handles.zarr_ref import ZarrArrayRef


def data_array(array: "ZarrArrayRef", chunks: Any) -> "xr.DataArray":
    """A lazy `DataArray`; dimensions without a name get xarray's, `dim_0` and so on."""
    dims = _dims(array, "dim_")
    lazy = array.to_dask_array(chunks)
    made: xr.DataArray = _xarray().DataArray(lazy, dims=dims, attrs=dict(array.attrs))
    made.name = array.basename or None  # not that of the array of Dask
    return made


def dataset(arrays: "Mapping[str, ZarrArrayRef]", group: "zarr.Group", chunks: Any) -> "xr.Dataset":
    """A lazy `Dataset`; dimensions without a name get one of their array's, lest arrays share them."""
    variables = {
        name: (_dims(array, f"{name}_dim_"), array.to_dask_array(chunks), dict(array.attrs))
        for name, array in arrays.items()
    }
    made: xr.Dataset = _xarray().Dataset(variables, attrs=dict(group.attrs))
    return made


def _dims(array: "ZarrArrayRef", prefix: str) -> list[str]:
    told = getattr(array.metadata, "dimension_names", None) or [None] * array.ndim
    return [name or f"{prefix}{axis}" for axis, name in enumerate(told)]


def _xarray() -> ModuleType:
    try:
        import xarray
    except ImportError as error:
        raise DjflowError("to_xarray needs xarray: pip install xarray.") from error
    return xarray
