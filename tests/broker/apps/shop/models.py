from __future__ import annotations

from typing import ClassVar

from django.db import models


class Order(models.Model):
    state: ClassVar[models.CharField[str, str]] = models.CharField(max_length=20)

    class Meta:
        app_label = "shop"
