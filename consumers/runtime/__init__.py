"""The machine every consumer runs on. A consumer offers a `Service`; this does the rest."""
