"""Tests of the consumers and of the machine they run on."""
