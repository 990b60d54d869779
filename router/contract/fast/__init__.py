"""Shorter ways to read bodies and to make events and records; the general way decides the rest.

Each has the result of the general way, or none: `router.contract.strict_json`, pydantic's `Event`
and `router.contract.wire` decide what a shorter way does not.
"""
