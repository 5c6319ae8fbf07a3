"""Django templates, streamed. Django renders a template whole, so a long page has several: head, row, foot.

pip install '.[django]' gunicorn uvicorn
gunicorn --threads 8 examples.django_templates:wsgi
uvicorn --lifespan off examples.django_templates:asgi
curl -N localhost:8000/
"""

import time

import django
from django.conf import settings

TEMPLATES = {
    "head.html": "<h1>{{ title }}</h1>\n<ul>\n",
    "row.html": "<li>{{ row }}</li>\n",
    "foot.html": "</ul>\n",
}

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="an example's",
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {"loaders": [("django.template.loaders.locmem.Loader", TEMPLATES)]},
        }
    ],
)
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402  # Django must be configured first
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.template.loader import get_template, render_to_string  # noqa: E402
from django.urls import path  # noqa: E402

import stream_adapter as sa  # noqa: E402
from stream_adapter_django import streaming  # noqa: E402


def rows():
    """Yield rows as a slow query does."""
    for row in ("Hold", "nothing", "<back>"):
        yield row
        time.sleep(0.1)


def render(request):
    """Send the head of the page before the first row is read."""
    yield render_to_string("head.html", {"title": "Rows"}, request)
    row_template = get_template("row.html")
    for row in rows():
        yield row_template.render({"row": row}, request)
    yield render_to_string("foot.html", request=request)


@streaming
def page(request):
    """Send HTML; text without a media type would be plain text."""
    return sa.html(render(request))


urlpatterns = [path("", page)]

wsgi = get_wsgi_application()
asgi = get_asgi_application()
