"""An inventory for every test of this folder."""

from tests.parts.inventory.fixtures import inventory_url, shop
from tests.parts.templates import templates

__all__ = ["inventory_url", "shop", "templates"]
