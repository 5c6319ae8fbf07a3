"""One line around an application of any framework: its streams lose what can be mended from outside.

    options      what the two middlewares take, and what it means for a stream of some media type
    asgi, wsgi   one request each, and the response of the application inside to it
    inbox        ASGI: `receive`, for two readers
    stream       ASGI: a response in parts, from the application's `send` to the server's
    call         WSGI: `start_response` and `write`, held until the first chunk
    thread       WSGI: where an application is called whose silence must be noticed
    blocks       WSGI: what is done to the body's blocks on their way to the server
    compress     Accept-Encoding → headers and an encoder that holds nothing back

A response that is not a stream is passed on as it came.
"""
