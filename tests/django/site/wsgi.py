from __future__ import annotations

import gc

from django.core.wsgi import get_wsgi_application

gc.disable()  # no source is to be closed by it
application = get_wsgi_application()
