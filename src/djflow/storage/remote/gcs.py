"""Google Cloud Storage."""

from typing import TYPE_CHECKING, Any, ClassVar

from djflow.storage.adapters import BucketAdapter, installed

if TYPE_CHECKING:
    import fsspec


class GcsAdapter(BucketAdapter):
    """Google Cloud Storage, through the package `gcsfs`.

    Settings: `bucket`, `project`, and `token` (a file with a service account's key; default: the credentials
    that Google's own tools would find).
    """

    protocol = "gcs"
    required_keys: ClassVar[tuple[str, ...]] = ("bucket",)
    allowed_keys: ClassVar[tuple[str, ...]] = ("project", "token")

    def create_filesystem(self, spec: dict[str, Any]) -> "fsspec.AbstractFileSystem":
        """A `gcsfs.GCSFileSystem`."""
        gcsfs = installed("gcsfs", self.protocol)
        given = {name: spec[name] for name in self.allowed_keys if spec.get(name)}
        return gcsfs.GCSFileSystem(use_listings_cache=False, skip_instance_cache=True, **given)

    def get_url(self, spec: dict[str, Any], path: str) -> str:
        """The URL by which Google's tools know an object."""
        del spec
        return f"gs://{path}"
