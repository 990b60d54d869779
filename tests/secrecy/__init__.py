"""Nothing that the suite or a process it starts prints holds a secret that was used in it.

`recorder` writes down what is secret and what is printed, in the tests' own process and, through
`child/sitecustomize.py`, in every Python process below it. `search` looks for the one in the
other, and `plugin` has the run fail by what was found.
"""
