"""The page that users bring their code from: each of its samples, in each framework, through a real server."""
