"""The folder that stands first in PYTHONPATH while tests run."""
