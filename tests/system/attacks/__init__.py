"""System tests of attacks on a running edge."""
