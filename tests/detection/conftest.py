"""The fixtures of the OAuth tests: their access tokens can leak too."""

from tests.oauth.conftest import ada, app

__all__ = ["ada", "app"]
