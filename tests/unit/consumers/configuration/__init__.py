"""Every setting: described, in the example, in the schema, with its origin."""
