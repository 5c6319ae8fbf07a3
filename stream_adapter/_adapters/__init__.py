"""Adapters: a whole application of one protocol under a server of the other.

    environ.py, scope.py         a request translated to the other protocol; no I/O
    request_body.py, receive.py  the request's body, handed over between the thread and the event loop
    to_asgi.py, to_wsgi.py       the adapters; the response goes through the pump, as every other does
    asgi_source.py               one call of an ASGI application, and what it sends before it first waits
    file_wrapper.py              an open file that a WSGI application returns
    flow.py                      the options of such a response
    lifespan.py                  the lifespan that an ASGI application expects and a WSGI server does not run

Earlier versions used a2wsgi for the translation. Its faults, which were measured:

    to WSGI   a query string beyond ASCII is an error; a path that is not UTF-8 loses its bytes; `/app` is taken for the
              root of `/application`; repeated cookies are joined by a comma; `X_Forwarded_For` passes for
              `X-Forwarded-For`; `wsgi.input_terminated` is missing, so that Flask sees no body of unknown length;
              `readline(size)` of an empty buffer is an end; `readlines` takes its hint for a number of lines, and adds
              a newline; a body that a disconnect cuts is taken as complete
    to ASGI   a path that is not UTF-8, or a query beyond ASCII, is an error; no `raw_path`; no body of unknown length;
              a read of the body never ends after its client has disconnected
"""
