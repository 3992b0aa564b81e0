"""The story's second runtime: a virtual clock, a seeded exchange in memory, and crashes at every effect."""
