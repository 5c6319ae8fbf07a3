"""The chat in Django, in one file, under WSGI and under ASGI.

pip install '.[django]' gunicorn
gunicorn --workers 2 --threads 32 examples.chat.django_app:wsgi
"""

import json
from functools import wraps

import django
from django.conf import settings
from django.http import Http404, HttpResponse, JsonResponse

settings.configure(
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],  # the cookie is SameSite=Strict, so no CSRF token
    ROOT_URLCONF=__name__,
    SECRET_KEY="an example's",
)
django.setup()

from django.core.asgi import get_asgi_application  # noqa: E402  # Django must be configured first
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from django.views.decorators.http import require_GET, require_POST  # noqa: E402

import stream_adapter as sa  # noqa: E402
from examples.chat import chat as chats  # noqa: E402
from stream_adapter_django import stream_response  # noqa: E402


def for_owner(view):
    """Ask for each request whether this browser may see the chat."""

    @wraps(view)
    def checked(request, chat, *arguments, **names):
        if not chats.allows(chat, request.COOKIES.get("owner")):
            raise Http404
        return view(request, chat, *arguments, **names)

    return checked


@require_GET
def page(request):
    response = stream_response(sa.file(chats.STATIC / "index.html"))
    if "owner" not in request.COOKIES:
        response.set_cookie("owner", chats.new_owner(), httponly=True, samesite="Strict")
    return response


@require_GET
def static(request, name):
    return stream_response(sa.file(name, root=chats.STATIC))


@for_owner
def messages(request, chat):
    if request.method == "POST":
        return JsonResponse({"number": chats.say(chat, str(json.loads(request.body)["text"]))}, status=201)
    return JsonResponse(chats.messages(chat), safe=False)


@require_GET
@for_owner
def stream(request, chat, number):
    response = chats.follow(chat, number)
    return HttpResponse(status=204) if response is None else stream_response(response)


@require_POST
@for_owner
def stop(request, chat, number):
    chats.stop(chat, number, str(json.loads(request.body)["run"]))
    return HttpResponse(status=204)


@require_GET
@for_owner
def news(request, chat):
    return stream_response(chats.news(chat))


urlpatterns = [
    path("", page),
    path("static/<str:name>", static),
    path("chats/<str:chat>/messages", messages),
    path("chats/<str:chat>/messages/<int:number>/stream", stream),
    path("chats/<str:chat>/messages/<int:number>/stop", stop),
    path("chats/<str:chat>/news", news),
]
wsgi = get_wsgi_application()
asgi = get_asgi_application()
