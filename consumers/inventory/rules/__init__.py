"""Rules about payments and orders: payment, wants and cases follow from facts. Pure."""
