"""Transfers that an operator posts between accounts, and the file that carries them on."""
