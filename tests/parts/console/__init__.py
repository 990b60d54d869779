"""The console: in the test's process for a browser without JavaScript, and live for a real one."""
