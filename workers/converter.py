"""How values cross the wire to Temporal: JSON by pydantic, exact for decimals, enums and nested dataclasses."""

from collections.abc import Iterable
from contextlib import suppress

from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
)

_SHARED_JSON = PydanticJSONPlainPayloadConverter()


class SharedPydanticConverter(CompositePayloadConverter):
    """The SDK's pydantic converter, with one cache of validators for the whole process.

    The SDK makes a converter for each workflow run; with a cache each, every trade built its
    validators anew (10 ms for a plan, on the way to the wire).
    """

    def __init__(self) -> None:
        """As the SDK's own, but for the shared JSON part."""
        super().__init__(
            *(
                _SHARED_JSON if isinstance(converter, JSONPlainPayloadConverter) else converter
                for converter in DefaultPayloadConverter.default_encoding_payload_converters
            )
        )


DATA_CONVERTER = DataConverter(payload_converter_class=SharedPydanticConverter)


def warm(types: Iterable[type]) -> None:
    """Build the validators of these types now: on the first trade they cost half a second."""
    for kind in types:
        with suppress(ValidationError):  # null is no value of theirs, but asking builds the validator
            _SHARED_JSON.from_payload(Payload(data=b"null"), kind)
