from __future__ import annotations

from django.urls import path

from tests.django.site import views

urlpatterns = [
    path("sync-view/<name>/<token>", views.by_sync_view),
    path("async-view/<name>/<token>", views.by_async_view),
    path("received/<token>", views.received),
    path("ended/<token>", views.ended),
    path("left-open", views.left_open),
    path("fails", views.fails),
    path("source-fails", views.source_fails),
    path("transactions", views.transactions),
    path("no-transaction", views.no_transaction),
    path("thread-of-async-view", views.thread_of_async_view),
]
