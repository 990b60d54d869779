"""Bodies of Resmic Pro: the values of its pages, as its sender serialises them."""
