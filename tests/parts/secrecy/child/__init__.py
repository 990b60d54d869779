"""The folder that is first in PYTHONPATH while tests run."""
