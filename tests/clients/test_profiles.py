"""The profiles, as the clients that they are for read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

import pytest
from openai import APIError, OpenAI

from tests.clients.parts import SECRET, WORDS
from tests.support.node import Node
from tests.support.servers import Server

WordsOf: TypeAlias = Callable[..., Iterator[str | None]]


@pytest.fixture
def openai(server: Server) -> Iterator[OpenAI]:
    with OpenAI(api_key="none", base_url=f"{server.url}/parts/openai", max_retries=0) as client:
        yield client


def chat_words(openai: OpenAI, **query: object) -> Iterator[str | None]:
    with openai.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "?"}], stream=True, extra_query=query
    ) as chunks:
        for chunk in chunks:
            yield chunk.choices[0].delta.content


def response_words(openai: OpenAI, **query: object) -> Iterator[str | None]:
    with openai.responses.create(model="m", input="?", stream=True, extra_query=query) as events:
        for event in events:
            assert event.type == "response.output_text.delta"
            yield event.delta


APIS = pytest.mark.parametrize("words_of", [chat_words, response_words])


@APIS
def test_openais_client_reads_parts_until_done_with_comments_between_them(openai: OpenAI, words_of: WordsOf) -> None:
    assert list(words_of(openai)) == WORDS


@APIS
def test_openais_client_raises_the_error_after_the_parts_before_it(openai: OpenAI, words_of: WordsOf) -> None:
    words = list[str | None]()
    with pytest.raises(APIError, match=r"\AInternal Server Error\Z") as caught:
        for word in words_of(openai, fails=1):
            words.append(word)  # and keeps those before the error
    assert words == WORDS
    assert caught.value.type == "server_error"


def test_vercels_ai_sdk_reads_a_message_with_comments_between_its_parts(server: Server, node: Node) -> None:
    message = node.run("message.mjs", f"{server.url}/parts/ai-sdk")
    assert message == {"parts": [{"type": "text", "text": "".join(WORDS), "state": "done"}], "errors": []}


def test_vercels_ai_sdk_has_the_error_and_a_message_that_is_not_done(server: Server, node: Node) -> None:
    message = node.run("message.mjs", f"{server.url}/parts/ai-sdk?fails=1")
    assert message["parts"] == [{"type": "text", "text": "".join(WORDS), "state": "streaming"}]
    assert message["errors"][0] == "Internal Server Error"
    assert SECRET not in str(message["errors"])
