"""A whole deployment without containers, from the settings that the chart renders."""
