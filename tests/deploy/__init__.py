"""What is under deploy/ and in docker-compose.yml, held against the code it runs."""
