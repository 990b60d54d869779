"""The rules of the layout, held by tests over the syntax tree."""
