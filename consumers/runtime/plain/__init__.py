"""The shorter way of a plain batch: all of it is applied at once, or the general way decides."""
