"""Secrets in files, read again after a rotation."""
