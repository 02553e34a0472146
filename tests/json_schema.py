"""The part of JSON Schema that numbert's schemas use."""

import re

TYPES = {"object": dict, "array": list, "string": str, "number": (int, float),
         "integer": int, "boolean": bool, "null": type(None)}
KNOWN = {"$schema", "title", "type", "const", "enum", "pattern", "required",
         "properties", "additionalProperties", "minProperties", "items", "minItems",
         "uniqueItems"}


def complaints(value, schema, where="$"):
    """What is wrong with a value: one line each."""
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    kind = TYPES.get(schema.get("type"), object)
    if not isinstance(value, kind):
        yield f"{where}: is no {schema['type']}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{where}: is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: is none of {schema['enum']}"
    if "pattern" in schema and not re.search(schema["pattern"], value, re.DOTALL):
        yield f"{where}: {value!r} does not match {schema['pattern']}"
    if isinstance(value, dict):
        yield from _of_object(value, schema, where)
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            yield f"{where}: is too short"
        if schema.get("uniqueItems") and len({repr(x) for x in value}) < len(value):
            yield f"{where}: has an item twice"
        for i, item in enumerate(value):
            yield from complaints(item, schema.get("items", {}), f"{where}[{i}]")


def _of_object(value, schema, where):
    known, more = schema.get("properties", {}), schema.get("additionalProperties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{where}: lacks {name}"
    if len(value) < schema.get("minProperties", 0):
        yield f"{where}: is empty"
    for name, item in value.items():
        if name not in known and more is False:
            yield f"{where}: has an unknown {name!r}"
        else:
            yield from complaints(item, known.get(name, more or {}), f"{where}.{name}")
