"""The demo: `python -m stream_adapter`. One page, on which three frameworks stream the same four generators.

sources.py                                      what is streamed, written once
flask_app.py, django_app.py, fastapi_app.py     how each framework streams it
app.py, server.py                               all three in one process, and the page
"""
