"""Parameters of AWS calls, checked against botocore's service models as far as AWS itself would check them."""

from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.validate import ParamValidator


def faults(shape: Shape | None, parameters: dict[str, Any]) -> list[str]:
    """Return the violations of a model by the parameters of a call: unknown names, wrong types, unknown enum values."""
    if shape is None:
        return []
    report = ParamValidator().validate(parameters, shape)
    return [report.generate_report()] if report.has_errors() else list(_unknown_values(shape, parameters))


def _unknown_values(shape: Shape, value: Any) -> Iterator[str]:
    """Yield the values outside their field's enum, which botocore leaves to the service."""
    if isinstance(shape, StructureShape):
        for name, each in value.items():
            yield from _unknown_values(shape.members[name], each)
    elif isinstance(shape, ListShape):
        for each in value:
            yield from _unknown_values(shape.member, each)
    elif isinstance(shape, MapShape):
        for each in value.values():
            yield from _unknown_values(shape.value, each)
    elif getattr(shape, "enum", None) and value not in shape.enum:
        yield f"{value} is not one of {', '.join(shape.enum)}"
