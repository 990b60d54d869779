"""Bodies as gateways send them, byte for byte."""
