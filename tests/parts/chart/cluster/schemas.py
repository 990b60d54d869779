"""The schemas of Kubernetes for the kinds of the chart, as strict as the API server.

`python -m tests.parts.chart.cluster --schemas` writes them from what the API server publishes: a
field that they do not name is wrong. Kinds whose definitions come from --crds are left out.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.parts.chart.cluster.server import ApiServer
from tests.parts.chart.rendered import CASES, SAMPLES, Rendered, objects

SCHEMAS: Final = SAMPLES / "kubernetes.json"
_PREFIX: Final = "#/components/schemas/"
_KEPT: Final = frozenset(
    {
        *("type", "format", "properties", "required", "items", "enum", "additionalProperties"),
        *("$ref", "allOf", "oneOf", "anyOf", "pattern", "minimum", "maximum", "maxLength"),
        *("minLength", "maxItems", "minItems", "x-kubernetes-preserve-unknown-fields"),
    }
)


def write_schemas(server: ApiServer) -> None:
    """Write the schema of every kind that the chart uses, and of what it refers to."""
    kinds = {
        (each["apiVersion"], each["kind"])
        for case in CASES
        for each in objects(case)
        if server.knows(each)
    }
    published: dict[str, Any] = {}
    for version in sorted({version for version, _ in kinds}):
        published |= server.published(version)
    roots = {kind: _name_of(published, kind) for kind in sorted(kinds)}
    needed = dict(sorted(_needed(published, roots.values())))
    lines = [f"{json.dumps(name)}:{json.dumps(schema)}" for name, schema in needed.items()]
    written = {f"{version} {kind}": name for (version, kind), name in roots.items()}
    text = f'{{"kinds":{json.dumps(written, indent=0)},\n"components":{{"schemas":{{\n'
    SCHEMAS.write_text(text + ",\n".join(lines) + "\n}}}\n")


def schema_of(found: Rendered, schemas: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the schema of an object; None if its kind has none here."""
    name = schemas["kinds"].get(f"{found['apiVersion']} {found['kind']}")
    return name and {"$ref": _PREFIX + name, "components": schemas["components"]}


def _name_of(published: Mapping[str, Any], kind: tuple[str, str]) -> str:
    version, name = kind
    group, _, number = version.rpartition("/")
    wanted = {"group": group, "kind": name, "version": number}
    for found, schema in published.items():
        if wanted in schema.get("x-kubernetes-group-version-kind", []):
            return found
    raise KeyError(kind)


def _needed(published: Mapping[str, Any], roots: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - names
    todo, seen = list(roots), set()
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            schema = strict(published[name])
            todo += [ref.removeprefix(_PREFIX) for ref in _references(schema)]
            yield name, schema


def _references(schema: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for each in schema.values():
            yield from _references(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from _references(each)


def strict(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a schema without prose, in which an object has no other fields than it declares."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: strict(value) for key, value in schema.items() if key in _KEPT}
    if "properties" in schema:
        kept["properties"] = {key: strict(value) for key, value in schema["properties"].items()}
        if "x-kubernetes-preserve-unknown-fields" not in schema:
            kept.setdefault("additionalProperties", False)
    return kept
