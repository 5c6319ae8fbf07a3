"""Files: what is sent for every kind of request, from every kind of file, through every server."""
