"""The page's samples, mounted in each framework."""
