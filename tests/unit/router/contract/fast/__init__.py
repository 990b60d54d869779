"""Unit tests of `router.contract.fast`."""
