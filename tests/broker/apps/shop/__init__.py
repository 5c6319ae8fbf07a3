"""A Django site that publishes: in transactions, from its admin, and its shell (`python -m tests.broker.apps.shop`)."""

from __future__ import annotations

import os

import stream_adapter as sa

live = sa.Broker(os.environ["BROKER_URL"], prefix="test", publish_timeout=20.0)
