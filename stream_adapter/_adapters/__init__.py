"""Whole applications, carried over from one protocol to the other.

    environ.py, scope.py     a request of the one protocol as the other has it; no I/O
    body.py, inbox.py        the request's body, which somebody else reads than has it
    to_asgi.py, to_wsgi.py   the adapters: the response goes through the pump, as every other does
    lifespan.py              what an ASGI application expects of its process, and WSGI knows nothing of

The translation is not a2wsgi's any more, which was measured and found wrong in this:

    to WSGI   a query string beyond ASCII is an error; a path that is not UTF-8 loses its bytes; `/app` is taken for the
              root of `/application`; repeated cookies are joined by a comma; `X_Forwarded_For` passes for
              `X-Forwarded-For`; `wsgi.input_terminated` is missing, so that Flask sees no body of unknown length;
              `readline(size)` of an empty buffer is an end; `readlines` takes its hint for a number of lines, and adds
              a newline; a client that leaves has sent all of its body
    to ASGI   a path that is not UTF-8, or a query beyond ASCII, is an error; no `raw_path`; no body of unknown length;
              a client that leaves amid its body is read from for ever
"""
