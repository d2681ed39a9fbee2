"""The JSON Schemas of the package, as tests hold them against what commands print."""

import functools
import json
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

import jsonschema


@functools.cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    """The one in `miner/front/NAME.schema.json`."""
    schema = json.loads((files("miner.front") / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


def figures(lines: Iterable[str]) -> list[dict[str, Any]]:
    """The objects on the lines of `bench --json`, `screen --json` or `swarm --json`; each is what its schema says."""
    found = [json.loads(line) for line in lines]
    for line in found:
        validator("figures").validate(line)
    return found
