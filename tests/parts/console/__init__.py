"""The console in the test's process, served over a socket, and a browser without JavaScript."""
