"""The demo: `python -m stream_adapter`. One page: what three frameworks stream, beside the code that streams it.

sources.py                                      what is streamed, written once
broker.py                                       what outlives a request: an answer, and news
flask_app.py, django_app.py, fastapi_app.py     how each framework streams it
listing.py                                      their code, for the page
app.py, server.py                               all of it in one process, and the page
"""
