from __future__ import annotations

import gc

from django.core.asgi import get_asgi_application

gc.disable()  # no source is to be closed by it
application = get_asgi_application()
