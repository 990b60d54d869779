"""Fails a run in which a test, or a process it starts, printed a secret that the run uses.

`recorder` writes down what is secret and what is printed, in the tests' own process and, through
`child/sitecustomize.py`, in every Python process below it. `search` looks for the one in the
other, and `plugin` makes the run fail if it finds anything.
"""
