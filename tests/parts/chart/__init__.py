"""The Helm chart: its objects as helm renders them, helm, and an API server that checks them."""
