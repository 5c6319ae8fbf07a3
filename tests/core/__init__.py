"""The core, in process: no socket, no framework."""
