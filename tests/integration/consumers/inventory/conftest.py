"""An inventory for every test of this folder."""

from tests.parts.inventory.fixtures import empty_inventory, inventory_url, shop

__all__ = ["empty_inventory", "inventory_url", "shop"]
