from __future__ import annotations

from django.db import models


class Row(models.Model):
    text: models.CharField[str, str] = models.CharField(max_length=20)
