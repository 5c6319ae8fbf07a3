"""The public names, pinned: users learn them, so a change is made here first, and on purpose."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import stream_adapter

MEMBERS: dict[str, str] = {
    "stream_adapter": """
        Broker BrokerError BrokerUnavailableError ChunkEncodingError Event History Limits PublishTimeoutError Response
        Run RunConflictError ServerSentEvent StreamAdapterError StreamConsumedError StreamSummary
        StreamTimeoutError StrictEncodingError active_stream_count active_streams aiter_bytes configure csv drain
        drain_on_signal
        encode_chunk file html iter_bytes json_array json_seq ndjson sse text to_asgi to_wsgi
    """,
    "stream_adapter.asgi": "StreamAdapterMiddleware to_asgi",
    "stream_adapter.engines": """
        BaseEngine Engine Entry FencedError Frame History KEY_SECONDS MemoryEngine Page Position Receiver RunState
        RunStatus engine_of new_epoch
    """,
    "stream_adapter.errors": """
        BrokerError BrokerUnavailableError CapacityError ChunkEncodingError ChunkValueError ClientDisconnected
        ContentLengthError FencedError FileChangedError GoneError NotFoundError PublishTimeoutError RefusalError
        RunConflictError
        SourceError StreamAborted StreamAdapterError StreamConsumedError StreamTimeoutError StrictEncodingError
        UnsupportedError
    """,
    "stream_adapter.files": "FileResponse Offload XAccelRedirect XSendfile file",
    "stream_adapter.formats": "Auto CSV Format HTML JSONArray JSONSeq NDJSON Raw SSE ServerSentEvent Text",
    "stream_adapter.integration": """
        AsyncBody ChunkTable Encode Ending FormatDecorators FormatEncoder Hooks Published RefusalError RequestHead
        RequestSource Resolved ResponseKeywords ResponseOptions SendWatch ServerFile StreamingDecorator SyncBody
        ViewDecorator aclose_unopened as_response break_connection checked_options client_connection close_unopened
        content_length copy_variables current_loop deliver deliver_plain discard_unopened event_of is_bodiless is_event
        is_stream is_whole kind_of merge_headers offers_pathsend options_of outgoing_head refusal_head response_of_view
        run_coroutine server_file shows_options
    """,
    "stream_adapter.testing": """
        ASGIStreamTransport EngineConformance FaultProxy Items Listening LiveServer ManualClock RecordingReceiver
        SlowClient
        StalledClient WSGIStreamTransport aassert_closes aassert_streams anext_chunk assert_closes
        assert_streams async_stream_client events listening next_chunk rows stream_client
    """,
    "stream_adapter.types": """
        ASGIApp Chunk Environ ExcInfo Flush HeadersInput JSONDumps Message Reason Receive Scope Send Source
        StartResponse WSGIApp
    """,
    "stream_adapter.wsgi": "StreamAdapterMiddleware to_wsgi",
    "stream_adapter_django": "StreamAdapter StreamResponse last_event_id path re_path stream_response streaming",
    "stream_adapter_django.drf": "StreamNegotiation",
    "stream_adapter_fastapi": "Stream StreamAdapter StreamResponse StreamRouter stream_response streaming",
    "stream_adapter_pytest": "async_stream_client memory_broker stream_client",
    "stream_adapter_pytest.servers": "live_server",
    "stream_adapter_flask": """
        StreamAdapter StreamResponse StreamingResponse last_event_id stream_response streaming
    """,
}


ATTRIBUTES: dict[str, str] = {
    "Broker": """
        acancel aclose ajoin alast_event_id aproduce apublish apublish_many cancel close join last_event_id produce
        publish publish_many run stats subscribe
    """,
    "Event": "channel data event id time",
    "History": "age bytes count",
    "Run": "astart id key start status",
    "Subscription": "",
}


def _objects() -> dict[str, object]:
    live = stream_adapter.Broker()
    run = live.run("a", list[int])
    event = stream_adapter.Event(1, None, "1", "a", 1.0)
    objects = (live, event, stream_adapter.History(), run, live.subscribe("a"))
    return {type(each).__name__: each for each in objects}


@pytest.mark.parametrize(("name", "attributes"), ATTRIBUTES.items(), ids=ATTRIBUTES)
def test_public_object_has_exactly_its_documented_attributes(name: str, attributes: str) -> None:
    found = [attribute for attribute in dir(_objects()[name]) if not attribute.startswith("_")]
    assert found == attributes.split()


@pytest.mark.parametrize(("module", "members"), MEMBERS.items(), ids=MEMBERS)
def test_a_public_module_exports_exactly_its_members(module: str, members: str) -> None:
    imported = importlib.import_module(module)
    assert sorted(imported.__all__) == sorted(members.split())
    assert all(hasattr(imported, name) for name in imported.__all__)


def test_each_integration_exports_one_response_class_of_one_name() -> None:
    for framework in ("flask", "django", "fastapi"):
        module = importlib.import_module(f"stream_adapter_{framework}")
        assert "StreamResponse" in module.__all__
    flask = importlib.import_module("stream_adapter_flask")
    assert flask.StreamingResponse is flask.StreamResponse


def public_modules(package: str) -> Iterator[str]:
    yield package
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if not module.name.startswith("_"):
            yield f"{package}.{module.name}"


def test_every_public_module_is_pinned_here() -> None:
    packages = [name for name in MEMBERS if "." not in name]
    found = {module for package in packages for module in public_modules(package)}
    assert found == set(MEMBERS)


# Of revision 72f6763, and of the last one before names were changed: an application that imports them goes on working
OLD_NAMES: dict[str, str] = {
    "stream_adapter": """
        ChunkEncodingError Limits Response ServerSentEvent StreamAdapterError StreamConsumedError StreamSummary
        StreamTimeoutError StrictEncodingError active_streams aiter_bytes configure csv drain
        drain_on_signal
        encode_chunk file html iter_bytes json_array json_seq ndjson sse text to_asgi to_wsgi
    """,
    "stream_adapter.asgi": "StreamAdapterMiddleware to_asgi",
    "stream_adapter.errors": """
        CapacityError ChunkEncodingError ChunkValueError ContentLengthError FileChangedError NotFoundError RefusalError
        SourceError StreamAdapterError StreamConsumedError StreamTimeoutError StrictEncodingError UnsupportedError
    """,
    "stream_adapter.files": "FileResponse Offload XAccelRedirect XSendfile file",
    "stream_adapter.formats": "Auto CSV Format HTML JSONArray JSONSeq NDJSON Raw SSE ServerSentEvent Text",
    "stream_adapter.integration": """
        AsyncBody CapacityError ChunkTable ClientDisconnected Connection Encode Flow FormatDecorators FormatEncoder Host
        Kind NotFoundError OpenFile RefusalError RequestHead RequestHeaders Resolvable Resolved ResponseOptions
        SendWatch ServerFile StreamAborted SyncBody as_response checked_options client_connection deliver event_of
        is_bodiless is_event is_stream kind_of merge_headers offers_pathsend outgoing_head refusal_head run_coroutine
        server_file status_line
    """,
    "stream_adapter.testing": """
        ASGIStreamTransport Items LiveServer SlowClient StalledClient WSGIStreamTransport aassert_closes aassert_streams
        anext_chunk assert_closes assert_streams async_stream_client events next_chunk rows stream_client
    """,
    "stream_adapter.types": """
        ASGIApp Chunk Environ ExcInfo Flush HeadersInput JSONDumps Message Reason Receive Scope Send Source
        StartResponse WSGIApp
    """,
    "stream_adapter.wsgi": "StreamAdapterMiddleware to_wsgi",
    "stream_adapter_django": "StreamAdapter StreamResponse last_event_id path re_path stream_response streaming",
    "stream_adapter_django.drf": "StreamNegotiation",
    "stream_adapter_fastapi": "Stream StreamAdapter StreamResponse StreamRouter stream_response streaming",
    "stream_adapter_pytest": "async_stream_client stream_client",
    "stream_adapter_pytest.servers": "live_server",
    "stream_adapter_flask": """
        StreamAdapter StreamResponse StreamingResponse last_event_id stream_response streaming
    """,
}


@pytest.mark.parametrize(("module", "names"), OLD_NAMES.items(), ids=OLD_NAMES)
def test_old_public_names_are_importable(module: str, names: str) -> None:
    imported = importlib.import_module(module)
    assert [name for name in names.split() if not hasattr(imported, name)] == []


def test_active_streams_is_the_former_name_of_active_stream_count() -> None:
    assert stream_adapter.active_streams is stream_adapter.active_stream_count
