"""HTTP connections: the server, its limits, TLS, and answers to malformed requests."""
