"""Integration tests of deploy/ and docker-compose.yml, compared with the code."""
