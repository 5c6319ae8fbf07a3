"""Programs as users write them, for type checkers: none of them may need an ignore, and none is run."""
