"""The applications: one module a peer, each function a factory, so that a server imports what it serves and no more."""
