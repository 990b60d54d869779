"""Programs that the edge is compared with, each as its own documentation shows it."""
