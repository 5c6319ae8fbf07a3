"""Files: conditions, ranges, and a body that matches its headers exactly.

    import stream_adapter as sa

    sa.file("report.pdf", filename="report.pdf")
    sa.file(name, root="/srv/files", precompressed=True)        # a path from a user
    sa.file(io.BytesIO(data), media_type="image/png")

The headers describe the file as it is after it was opened. It is sent by the server itself, if it supports that
(`wsgi.file_wrapper`, `http.response.pathsend`), a front server (`offload=`), or reads in a thread.
"""

from ._offload import Offload, XAccelRedirect, XSendfile
from ._response import FileResponse, file

__all__ = ["FileResponse", "Offload", "XAccelRedirect", "XSendfile", "file"]
