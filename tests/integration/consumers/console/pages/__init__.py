"""Tests of the console's pages, over HTTP."""
