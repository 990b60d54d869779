"""Declarations of the commands about consumers: options and help, no work.

A declaration imports the command-line kit alone, so that help and completion are quick; the work
is in `actions`, imported when the command runs.
"""
