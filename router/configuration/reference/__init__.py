"""Describes every setting from the models: documentation page, example, JSON Schema."""
