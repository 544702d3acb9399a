"""Azure Blob Storage."""

from typing import TYPE_CHECKING, Any, ClassVar

from djflow.storage.adapters import BucketAdapter, installed

if TYPE_CHECKING:
    import fsspec


class AzureAdapter(BucketAdapter):
    """Azure Blob Storage, through the package `adlfs`.

    Settings: `container`, `account_name`, and `account_key`, `sas_token` or `connection_string` (default: the
    credentials that Azure's own tools would find).
    """

    protocol = "azure"
    root_key = "container"
    required_keys: ClassVar[tuple[str, ...]] = ("container",)
    allowed_keys: ClassVar[tuple[str, ...]] = (
        "account_name",
        "account_key",
        "sas_token",
        "connection_string",
    )

    def create_filesystem(self, spec: dict[str, Any]) -> "fsspec.AbstractFileSystem":
        """An `adlfs.AzureBlobFileSystem`."""
        adlfs = installed("adlfs", self.protocol)
        given = {name: spec[name] for name in self.allowed_keys if spec.get(name)}
        own_chain = not {"account_key", "sas_token", "connection_string"} & given.keys()
        return adlfs.AzureBlobFileSystem(
            use_listings_cache=False,
            skip_instance_cache=True,
            **given,
            **({"anon": False} if own_chain else {}),
        )

    def get_url(self, spec: dict[str, Any], path: str) -> str:
        """The URL by which `fsspec` knows an object."""
        del spec
        return f"az://{path}"
