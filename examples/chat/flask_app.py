"""The chat in Flask.

pip install '.[flask]' gunicorn
gunicorn --workers 2 --threads 32 examples.chat.flask_app:app
"""

from flask import Flask, abort, request

import stream_adapter as sa
from examples.chat import chat as chats
from stream_adapter_flask import stream_response

app = Flask(__name__, static_folder=None)


@app.url_value_preprocessor
def check_owner(endpoint, values):
    """Ask for each request whether this browser may see the chat."""
    if values and "chat" in values and not chats.allows(values["chat"], request.cookies.get("owner")):
        abort(404)


@app.get("/")
def page():
    response = stream_response(sa.file(chats.STATIC / "index.html"))
    if "owner" not in request.cookies:
        response.set_cookie("owner", chats.new_owner(), httponly=True, samesite="Strict")
    return response


@app.get("/static/<name>")
def static(name):
    return stream_response(sa.file(name, root=chats.STATIC))


@app.get("/chats/<chat>/messages")
def messages(chat):
    return chats.messages(chat)


@app.post("/chats/<chat>/messages")
def say(chat):
    return {"number": chats.say(chat, str(request.get_json()["text"]))}, 201


@app.get("/chats/<chat>/messages/<int:number>/stream")
def stream(chat, number):
    response = chats.follow(chat, number)
    return ("", 204) if response is None else stream_response(response)


@app.post("/chats/<chat>/messages/<int:number>/stop")
def stop(chat, number):
    chats.stop(chat, number, str(request.get_json()["run"]))
    return "", 204


@app.get("/chats/<chat>/news")
def news(chat):
    return stream_response(chats.news(chat))
