"""System tests of `router.commands`."""
