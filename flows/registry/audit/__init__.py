"""Is the registry what it was: the chain of events intact, and every table in accord with it? Reads, never repairs."""
