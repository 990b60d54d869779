"""The command `python -m tests.simulation`: runs, replays, shrinks and describes schedules."""
