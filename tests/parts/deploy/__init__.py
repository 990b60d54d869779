"""Readers of deploy/ and docker-compose.yml."""
