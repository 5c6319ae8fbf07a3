"""The chat in FastAPI.

pip install '.[fastapi]' uvicorn
uvicorn --workers 2 examples.chat.fastapi_app:app
"""

from typing import Annotated, Any

from fastapi import Cookie, Depends, FastAPI, HTTPException
from fastapi.responses import Response
from pydantic import BaseModel

import stream_adapter as sa
from examples.chat import chat as chats
from stream_adapter_fastapi import stream_response

app = FastAPI()


class Said(BaseModel):
    text: str


class Stopped(BaseModel):
    run: str


def allowed(chat: str, owner: Annotated[str | None, Cookie()] = None) -> str:
    """Ask for each request whether this browser may see the chat."""
    if not chats.allows(chat, owner):
        raise HTTPException(404)
    return chat


Chat = Annotated[str, Depends(allowed)]


@app.get("/")
def page(owner: Annotated[str | None, Cookie()] = None) -> Response:
    response = stream_response(sa.file(chats.STATIC / "index.html"))
    if owner is None:
        response.set_cookie("owner", chats.new_owner(), httponly=True, samesite="strict")
    return response


@app.get("/static/{name}")
def static(name: str) -> Response:
    return stream_response(sa.file(name, root=chats.STATIC))


@app.get("/chats/{chat}/messages")
def messages(chat: Chat) -> list[dict[str, Any]]:
    return chats.messages(chat)


@app.post("/chats/{chat}/messages", status_code=201)
def say(chat: Chat, said: Said) -> dict[str, int]:
    return {"number": chats.say(chat, said.text)}


@app.get("/chats/{chat}/messages/{number}/stream")
def stream(chat: Chat, number: int) -> Response:
    response = chats.follow(chat, number)
    return Response(status_code=204) if response is None else stream_response(response)


@app.post("/chats/{chat}/messages/{number}/stop", status_code=204)
def stop(chat: Chat, number: int, stopped: Stopped) -> None:
    chats.stop(chat, number, stopped.run)


@app.get("/chats/{chat}/news")
def news(chat: Chat) -> Response:
    return stream_response(chats.news(chat))
