"""Middlewares around an application of any framework: they add to its streams what `Response` has, as far as possible.

    options      the options of both middlewares, and what they mean for a stream of some media type
    asgi, wsgi   the middlewares: one request each, and the application's response to it
    asgi_stream  ASGI: a response of several messages, from the application's `send` to the server's
    receive      ASGI: the server's `receive`, shared by the application and the middleware
    wsgi_call    WSGI: one call of the application, whose head is held until the first chunk; the thread of a call
    compression  Accept-Encoding → headers, and an encoder that holds nothing back

A response that is not a stream passes through unchanged.
"""
