"""Checks what the configuration refers to, before and after a deployment; changes nothing."""
