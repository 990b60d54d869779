"""Replaces one version of payrouter by another, process by process, under load."""
