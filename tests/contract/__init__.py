"""One suite of numbered execution cases that every venue passes unchanged. How: docs/adding-a-venue.md."""
