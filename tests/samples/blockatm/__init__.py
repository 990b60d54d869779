"""Request bodies of BlockATM; those named `published-…` are from its documentation."""
