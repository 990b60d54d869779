"""Serves the console: admission, tokens, limits, headers, templates, errors, sign-in."""
