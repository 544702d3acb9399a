"""Methods and properties that a class of tables offers without being instantiated: `Subject.insert(...)`.

The metaclass of tables sees to that. These decorators tell it to type checkers, and are nothing at run time.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Concatenate, Generic, Never, ParamSpec, TypeVar, overload

    P = ParamSpec("P")
    T = TypeVar("T")
    R_co = TypeVar("R_co", covariant=True)

    class on_class(Generic[P, R_co]):  # noqa: N801 - a decorator
        """A method that may be called on the class as well."""

        def __init__(self, function: Callable[Concatenate[Any, P], R_co], /) -> None: ...

        def __get__(self, instance: object, owner: type | None = None, /) -> Callable[P, R_co]: ...

    class on_class_same(Generic[P]):  # noqa: N801 - a decorator
        """The same, of a method that returns a query of the kind that it is called on."""

        def __init__(self, function: Callable[Concatenate[Any, P], object], /) -> None: ...

        @overload
        def __get__(self, instance: None, owner: type[T], /) -> Callable[P, T]: ...

        @overload
        def __get__(self, instance: T, owner: type[T] | None = None, /) -> Callable[P, T]: ...

        def __get__(self, instance: Any, owner: Any = None, /) -> Any: ...

    class class_property(Generic[R_co]):  # noqa: N801 - a decorator
        """A property that may be read from the class as well."""

        def __init__(self, function: Callable[[Any], R_co], /) -> None: ...

        def __get__(self, instance: object, owner: type | None = None, /) -> R_co: ...

        def __set__(self, instance: object, value: Never, /) -> None: ...

else:

    def on_class(function):  # noqa: ANN001, ANN201
        """The function itself."""
        return function

    on_class_same = on_class
    class_property = property
