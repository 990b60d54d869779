"""Tests of what is named like this folder."""
