"""Work of `payrouter config`: describes every setting and its origin."""
