"""The people and applications of the OAuth tests: their access tokens leak, too."""

from tests.oauth.conftest import ada, app

__all__ = ["ada", "app"]
