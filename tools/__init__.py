"""Small programs that stand alone: they import nothing of arbsaga."""
