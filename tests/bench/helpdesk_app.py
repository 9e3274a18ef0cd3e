"""django-helpdesk on the mails of a folder: `get_email` into SQLite, timed. Runs in a virtualenv of its own.

`python helpdesk_app.py FOLDER`: the mails lie in FOLDER/mails, the database is made in FOLDER where there is none yet.
Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
import types
from pathlib import Path


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    import django
    from django.conf import settings

    names = ("auth", "contenttypes", "sessions", "sites", "humanize", "messages", "admin")
    settings.configure(
        SECRET_KEY="bench",
        INSTALLED_APPS=[*(f"django.contrib.{name}" for name in names), "rest_framework", "helpdesk"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "helpdesk.sqlite3")}},
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend",
        MEDIA_ROOT=str(folder / "media"),
        SITE_ID=1,
        USE_TZ=True,
        ROOT_URLCONF="bench_urls",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        LOGGING_CONFIG=None,
        HELPDESK_TEAMS_MODE_ENABLED=False,
        HELPDESK_ACTIVATE_API_ENDPOINT=False,
    )
    django.setup()
    from django.urls import include, path

    urls = sys.modules["bench_urls"] = types.ModuleType("bench_urls")
    urls.urlpatterns = [path("helpdesk/", include("helpdesk.urls", namespace="helpdesk"))]  # type: ignore[attr-defined]
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from helpdesk.models import FollowUp, Queue, Ticket

    Queue.objects.update_or_create(
        slug="support",
        defaults={
            "title": "Support", "email_address": "support@acme.example", "allow_email_submission": True,
            "email_box_type": "local", "email_box_local_dir": str(folder / "mails"), "email_box_interval": 0,
            "email_box_last_check": None,
        },
    )  # fmt: skip
    before = FollowUp.objects.count()
    cpu, began = time.process_time(), time.perf_counter()
    call_command("get_email", quiet=True)
    seconds = time.perf_counter() - began
    answer = {"tickets": Ticket.objects.count(), "followups": FollowUp.objects.count() - before, "seconds": seconds,
              "cpu_s": time.process_time() - cpu, "left": len(list((folder / "mails").iterdir()))}  # fmt: skip
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
