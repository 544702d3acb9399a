"""A PostgreSQL server that needs no installation, no administrator and no port."""

from djflow.backend.embedded.server import FAST_UNSAFE_SETTINGS, EmbeddedServer, ServerStatus

__all__ = ["FAST_UNSAFE_SETTINGS", "EmbeddedServer", "ServerStatus"]
