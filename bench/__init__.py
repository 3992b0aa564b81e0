"""What is measured: trades against a bare floor, signing, posting, market data. Nothing here is asserted."""
