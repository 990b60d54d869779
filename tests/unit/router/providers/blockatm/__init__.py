"""Unit tests of `router.providers.blockatm`."""
