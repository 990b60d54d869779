"""The configuration as frozen models, and the sources it is read from."""
