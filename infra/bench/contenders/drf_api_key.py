"""Measure djangorestframework-api-key in its fastest setup: one view that requires a key and throttles by key.

Requests go through Django's WSGI handler in this process, without socket, middleware, debugging or logging. Keys are
stored in in-memory SQLite and the throttle's history in Django's local-memory cache, the fastest backends available.
JSON is the only renderer and the key the only authentication. The number of keys is the same as in Latchkey's
benchmark, and no key reaches its limit.
"""

from typing import Any

import django  # type: ignore[import-not-found]  # Django is installed only in the benchmark's environment
from django.conf import settings  # type: ignore[import-not-found]
from django.core.handlers.wsgi import WSGIHandler  # type: ignore[import-not-found]
from django.core.management import call_command  # type: ignore[import-not-found]
from django.urls import path  # type: ignore[import-not-found]

from infra.bench.contender import Work, serve
from infra.bench.wsgi import environ

KEYS = 50
RATE = "10000/hour"

urlpatterns: list[Any] = []


def main() -> None:
    """Measure how long one request to the view takes."""
    settings.configure(
        ALLOWED_HOSTS=["*"],
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "CONN_MAX_AGE": None}},
        DEBUG=False,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=["django.contrib.contenttypes", "rest_framework", "rest_framework_api_key"],
        LOGGING_CONFIG=None,
        MIDDLEWARE=[],
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
            "UNAUTHENTICATED_USER": None,
        },
        ROOT_URLCONF=__name__,
        SECRET_KEY="a secret that only a benchmark would print",  # noqa: S106 - it guards nothing
        USE_TZ=True,
    )
    django.setup()
    call_command("migrate", verbosity=0)
    urlpatterns.append(path("limits", _view()))
    keys = _keys()
    application = WSGIHandler()

    def operate(number: int) -> bool:
        statuses: list[str] = []
        request = environ("GET", "/limits", "api.example.com", f"Api-Key {keys[number % KEYS]}")
        response = application(request, lambda status, *_: statuses.append(status))
        b"".join(response)
        response.close()
        return statuses[0].startswith("200")

    serve(Work(operate))


def _view() -> Any:
    from rest_framework.response import Response  # type: ignore[import-not-found]
    from rest_framework.throttling import SimpleRateThrottle  # type: ignore[import-not-found]
    from rest_framework.views import APIView  # type: ignore[import-not-found]
    from rest_framework_api_key.permissions import HasAPIKey  # type: ignore[import-not-found]

    class ByKey(SimpleRateThrottle):  # type: ignore[misc]  # the base ships no types
        rate = RATE

        def get_cache_key(self, request: Any, view: Any) -> str:  # noqa: ARG002 - the base class asks
            # The part of a key before the dot is its id, which isn't secret.
            return "key_" + str(request.META["HTTP_AUTHORIZATION"].removeprefix("Api-Key ").partition(".")[0])

    class Limits(APIView):  # type: ignore[misc]  # the base ships no types
        permission_classes = (HasAPIKey,)
        throttle_classes = (ByKey,)

        def get(self, _request: Any) -> Any:
            burst = {"limit": 200, "remaining": 199, "reset": 0, "window_s": 1}
            return Response({"tier": "pro", "quota": None, "burst": burst})

    return Limits.as_view()


def _keys() -> list[str]:
    from rest_framework_api_key.models import APIKey  # type: ignore[import-not-found]

    return [APIKey.objects.create_key(name=f"Bench {number}")[1] for number in range(KEYS)]


if __name__ == "__main__":
    main()
