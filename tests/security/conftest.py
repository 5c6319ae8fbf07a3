from __future__ import annotations

import os

import django
from django.conf import settings

if not settings.configured:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.django.site.settings"
    django.setup()
