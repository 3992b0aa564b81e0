"""A property of an immutable value that is worked out once and kept beside its fields."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 - reads as the decorator it is
    """`functools.cached_property` without its lock, which costs more than most sums (gone in Python 3.12).

    The class needs a `__dict__`. Not for a value that two threads may both work out, unless both get the same.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self.make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "once[T]": ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> "T | once[T]":
        """Only asked the first time: what is kept in the instance then comes before it."""
        if instance is None:
            return self
        value = instance.__dict__[self.name] = self.make(instance)
        return value
