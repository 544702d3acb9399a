"""Tasks on a Dask cluster: nothing here imports Dask before an executor is entered."""
