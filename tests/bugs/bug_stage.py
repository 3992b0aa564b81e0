"""`@plays("lost answer")`: a test that is shown by these scenarios of the wire layer."""

from collections.abc import Callable

import pytest

Test = Callable[..., object]


def plays(*names: str) -> Callable[[Test], Test]:
    """Have the test awaited by the fixture `breaches`: the violations of these scenarios, which must be none."""

    def mark(test: Test) -> Test:
        test.scenarios = names
        return test

    return mark


def wanted_by(item: pytest.Item) -> tuple[str, ...]:
    """The scenarios a collected test asks for."""
    return getattr(getattr(item, "function", None), "scenarios", ())
