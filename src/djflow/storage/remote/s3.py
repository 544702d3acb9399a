"""S3 and what speaks its protocol."""

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

from djflow.errors import ConfigError
from djflow.storage.adapters import BucketAdapter, installed

if TYPE_CHECKING:
    import fsspec
    from obstore.store import S3Store

    from djflow.storage.remote.s3_objects import S3Objects

_AWS: Final = re.compile(r"s3[.-](?:(?P<region>[a-z0-9-]+)\.)?amazonaws\.com")
_UNFIT: Final = re.compile(r"[^!-~]|[<>\"{}|\\^`]")
_CONNECT_SECONDS: Final = 5
_READ_SECONDS: Final = 30  # without a byte
_REQUEST_ATTEMPTS: Final = 3  # of each request; a store repeats whole operations besides
_PARTS_AT_ONCE: Final = 4  # of 50 MB each, so that a transfer's memory is bounded


class S3Adapter(BucketAdapter):
    """Amazon S3, MinIO, SeaweedFS and others, through `s3fs`.

    Settings: `bucket`, `endpoint` (host, with a port where it is not the usual one; default Amazon's),
    `secure` (default true: HTTPS), `access_key` and `secret_key` (default: those that Amazon's own tools
    would find), `session_token`, `region`, and `anonymous` (default false) for public buckets.
    """

    protocol = "s3"
    required_keys: ClassVar[tuple[str, ...]] = ("bucket",)
    allowed_keys: ClassVar[tuple[str, ...]] = (
        "endpoint",
        "secure",
        "access_key",
        "secret_key",
        "session_token",
        "region",
        "anonymous",
    )

    def validate_spec(self, spec: dict[str, Any]) -> None:
        """As of other protocols; neither library says what is wrong with white space in a setting."""
        super().validate_spec(spec)
        for name in ("bucket", "endpoint", "access_key", "secret_key", "session_token", "region"):
            if _UNFIT.search(str(spec.get(name) or "")):
                raise ConfigError(f"{name!r} has white space or another character that it cannot have.")

    def create_filesystem(self, spec: dict[str, Any]) -> "fsspec.AbstractFileSystem":
        """An `s3fs.S3FileSystem` that keeps no listings, as other processes write too."""
        s3fs = installed("s3fs", self.protocol)
        endpoint = endpoint_url(spec)
        named = {
            "key": spec.get("access_key"),
            "secret": spec.get("secret_key"),
            "token": spec.get("session_token"),
            "endpoint_url": endpoint,
        }
        filesystem = s3fs.S3FileSystem(
            anon=_is_true(spec.get("anonymous", False)),
            # Not even None where there is none: Zarr makes a text of the options when it is given a mapping.
            **{name: value for name, value in named.items() if value},
            client_kwargs={"region_name": region(spec)} if region(spec) else {},
            config_kwargs={
                "connect_timeout": _CONNECT_SECONDS,
                "read_timeout": _READ_SECONDS,
                "retries": {"mode": "standard", "total_max_attempts": _REQUEST_ATTEMPTS},
                "s3": {"addressing_style": "path" if endpoint else "auto"},
                "max_pool_connections": 32,
            },
            max_concurrency=_PARTS_AT_ONCE,
            use_listings_cache=False,
            skip_instance_cache=True,
        )
        filesystem.retries = 1  # botocore repeats requests, with jitter
        return filesystem

    def open_objects(self, spec: dict[str, Any]) -> "S3Objects | None":
        """The bucket through `obstore`, None where that cannot serve it."""
        bucket = self.object_store(spec, self.root(spec))
        if bucket is None:
            return None
        from djflow.storage.remote.s3_objects import S3Objects

        return S3Objects(bucket)

    def object_store(self, spec: dict[str, Any], path: str) -> "S3Store | None":
        """A store of `obstore` whose root is a full path, None where it is not installed or cannot serve it.

        It looks for credentials and regions in fewer places than Amazon's own tools, so it serves stores
        that have them in their settings; and it does not work in a forked process if its parent uses it.
        """
        is_anonymous = _is_true(spec.get("anonymous", False))
        has_keys = bool(spec.get("access_key") and spec.get("secret_key"))
        if not (is_anonymous or has_keys) or not (endpoint_url(spec) or region(spec)):
            return None
        try:
            from obstore.store import S3Store

            from djflow.storage.remote.s3_objects import usable
        except ImportError:
            return None
        if not usable():
            return None
        bucket, _, prefix = path.partition("/")
        endpoint = endpoint_url(spec)
        options: dict[str, Any] = {
            "access_key_id": spec.get("access_key"),
            "secret_access_key": spec.get("secret_key"),
            "session_token": spec.get("session_token"),
            "endpoint": endpoint,
            "region": region(spec) or ("us-east-1" if endpoint else None),
            "skip_signature": is_anonymous,
        }
        given = {name: value for name, value in options.items() if value}
        return S3Store(
            bucket,
            prefix=prefix or None,
            retry_config={
                "max_retries": _REQUEST_ATTEMPTS - 1,
                "retry_timeout": timedelta(seconds=_READ_SECONDS),
            },
            client_options={
                "allow_http": bool(endpoint and endpoint.startswith("http:")),
                "connect_timeout": f"{_CONNECT_SECONDS}s",
                "read_timeout": f"{_READ_SECONDS}s",
                "timeout": timedelta(days=1),  # of a whole transfer
            },
            **given,
        )


def endpoint_url(spec: dict[str, Any]) -> str | None:
    """The URL of the server, None for Amazon's.

    >>> endpoint_url({"endpoint": "minio.lab.org:9000", "secure": False}), endpoint_url({"endpoint": ""})
    ('http://minio.lab.org:9000', None)
    >>> endpoint_url({"endpoint": "s3.amazonaws.com"}), endpoint_url({"endpoint": "https://store.org/"})
    (None, 'https://store.org')
    """
    endpoint = str(spec.get("endpoint") or "").rstrip("/")
    host = endpoint.partition("://")[2] or endpoint
    if not endpoint or _AWS.fullmatch(host):
        return None
    if "://" in endpoint:
        return endpoint
    return f"{'https' if _is_true(spec.get('secure', True)) else 'http'}://{endpoint}"


def region(spec: dict[str, Any]) -> str | None:
    """The region that is set, or that Amazon's endpoint names.

    >>> region({"endpoint": "s3.eu-west-1.amazonaws.com"}), region({"region": "eu-north-1"}), region({})
    ('eu-west-1', 'eu-north-1', None)
    """
    if spec.get("region"):
        return str(spec["region"])
    match = _AWS.search(str(spec.get("endpoint") or ""))
    return match["region"] if match else None


def _is_true(value: object) -> bool:
    return str(value).strip().lower() not in {"false", "0", "no", "off", "none", ""}
