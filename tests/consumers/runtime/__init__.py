"""Tests of the machine every consumer runs on."""
