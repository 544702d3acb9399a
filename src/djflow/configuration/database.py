"""How to reach a PostgreSQL server."""

from dataclasses import dataclass, field
from typing import ClassVar, Final
from urllib.parse import quote

from djflow.configuration.frozen import FrozenMapping
from djflow.configuration.secret import Secret

DEFAULT_PORT: Final = 5432


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Certificates by path: the authority that signed the server's, and the client's own with its key.

    With an authority the server's name is verified as well.
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Which server to use, and as whom.

    `host` is a name, an address, or a folder with a socket; `None` (the default) means the embedded
    server unless a user or password is set, which then belong to localhost; empty leaves the choice to
    libpq. `name` is the database; `None` is "postgres", on the embedded server "djflow". `use_tls`: `True`
    demands encryption, `False` forbids it, `None` takes it where the server offers it. `options` are further
    libpq parameters, such as `sslmode` or `application_name`. `database_prefix` is kept for code that puts
    it before schema names itself. `create_tables` is the default of `Schema(create_tables=)`. `reconnect`
    opens a broken connection again.

    >>> DatabaseSettings(host="db.lab.org", user="ann", password=Secret("pw")).describe()
    'ann@db.lab.org:5432/postgres'
    """

    backend: str = "postgresql"
    host: str | None = None
    port: int = DEFAULT_PORT
    user: str | None = None
    password: Secret | None = None
    name: str | None = None
    reconnect: bool = True
    use_tls: bool | TlsFiles | None = None
    database_prefix: str = ""
    create_tables: bool = True
    options: FrozenMapping[str | Secret] = field(default_factory=FrozenMapping)

    DEFAULT_NAME: ClassVar[str] = "postgres"

    @property
    def is_configured(self) -> bool:
        """Whether a server was named; otherwise the embedded one is meant."""
        return not (self.host is None and self.user is None and self.password is None)

    def conninfo(self) -> Secret:
        """A connection URI for libpq, hence for psycopg and ADBC.

        What is not set is left out, so that libpq's own sources (`~/.pgpass`, `PGSSLMODE`) still apply.

        >>> DatabaseSettings(host="db.lab.org", user="ann", use_tls=True).conninfo().reveal()
        'postgresql://ann@db.lab.org:5432/postgres?sslmode=require'
        """
        user = _escape(self.user or "")
        password = f":{_escape(self.password.reveal())}" if self.password else ""
        login = f"{user}{password}@" if user or password else ""
        query = "&".join(f"{_escape(name)}={_escape(value)}" for name, value in self._parameters().items())
        name = _escape(self.name or self.DEFAULT_NAME)
        return Secret(f"postgresql://{login}{self._authority()}/{name}{'?' if query else ''}{query}")

    def describe(self) -> str:
        """Who, where and which database, for messages; never a password."""
        login = f"{self.user}@" if self.user else ""
        return f"{login}{self._shown_host()}:{self.port}/{self.name or self.DEFAULT_NAME}"

    def _shown_host(self) -> str:
        host = "localhost" if self.host is None else self.host
        return f"[{host}]" if ":" in host else host

    def _authority(self) -> str:
        shown = self._shown_host()
        host = shown if shown.startswith("[") else _escape(shown)
        return f"{host}:{self.port}"

    def _parameters(self) -> dict[str, str]:
        given = {
            name: value.reveal() if isinstance(value, Secret) else value
            for name, value in self.options.items()
        }
        return given | _tls_parameters(self.use_tls)


def _tls_parameters(use_tls: bool | TlsFiles | None) -> dict[str, str]:  # noqa: FBT001 - three answers, as documented
    match use_tls:
        case None:
            return {}
        case TlsFiles(ca, cert, key):
            mode = "verify-full" if ca else "require"
            files = {"sslrootcert": ca, "sslcert": cert, "sslkey": key}
            return {"sslmode": mode} | {name: path for name, path in files.items() if path}
        case _:
            return {"sslmode": "require" if use_tls else "disable"}


def _escape(text: str) -> str:
    return quote(text, safe="")
