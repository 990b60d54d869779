"""One way for every list: filters in the URL, pages by keyset, as HTML, CSV and JSON."""
