"""Shows the configuration in force."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from router.commands.actions.checked import problems_located
from router.commands.actions.configured import load_settings, sources_of
from router.commands.invocation import Invocation
from router.configuration.settings import Settings
from router.edge.endpoints import checked_options
from router.terminal.output import show_json, show_table


def show_configuration(invocation: Invocation, *, as_json: bool) -> None:
    """Print every key with its value, secrets masked."""
    settings = load_settings(invocation)
    values = masked_values(invocation, settings)
    if as_json:
        show_json(values, indent=2)
    else:
        show_table("", ("key", "value"), _flat(values))


def masked_values(
    invocation: Invocation, settings: Settings, *, whole: bool = False
) -> dict[str, Any]:
    """Check the endpoints and return all values, with secrets masked.

    `whole` with every setting, None if it is not set.
    """
    values = settings.model_dump(mode="json", exclude_none=not whole)
    for name, own in _options(invocation, settings).items():
        endpoint = values["endpoints"][name]
        del endpoint["options"]
        endpoint.update(own.model_dump(mode="json", exclude_none=not whole))
    # Only a consumer's own model defines which of its values are secret.
    values["consumers"] = invocation.consumers.shown(settings.consumers, whole=whole)
    return values


def _options(invocation: Invocation, settings: Settings) -> Mapping[str, BaseModel]:
    if not settings.endpoints:
        return {}
    with problems_located(sources_of(invocation)):
        return checked_options(settings)


def _flat(values: Any, under: str = "") -> list[tuple[str, str]]:  # noqa: ANN401 - nested JSON
    if not isinstance(values, dict) or not values:
        return [(under, json.dumps(values, ensure_ascii=False))]
    lines = []
    for key, value in values.items():
        lines += _flat(value, f"{under}.{key}" if under else key)
    return lines
