"""The topic contract: what each topic must be, compared, created and watched."""
