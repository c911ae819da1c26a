"""An app.py that Chalice or AWS would reject is refused before anything is changed."""

import sys
from pathlib import Path

import pytest
from chalice.app import Blueprint

from app import app
from chalicelib.api import routing
from chalicelib.api.routing import Route
from tests.deploy.own_functions import ROLE, Account, configure, handle

pytestmark = pytest.mark.xdist_group("own_functions")


def test_function_without_a_role_is_refused_before_any_change(own_account: Account) -> None:
    """An operator's function without a separate role is rejected before a table or a function is created."""
    own_account.declare("mine")
    configure(own_account.checkout, {})
    own_account.cloud.changes.clear()
    done = own_account.checkout.run("deploy", "dev")
    assert (done.status, own_account.cloud.changes) == (1, [])
    assert "your function mine needs a role" in done.error


def test_misspelt_function_is_refused_before_any_change(own_account: Account) -> None:
    """A configured function that app.py doesn't declare is rejected, and the most similar name is suggested."""
    own_account.declare("on_order")
    configure(own_account.checkout, {"on_orders": {"iam_role_arn": ROLE}})
    own_account.cloud.changes.clear()
    done = own_account.checkout.run("deploy", "dev")
    assert (done.status, own_account.cloud.changes) == (1, [])
    assert "lambda_functions.on_orders: app.py declares no such function. Did you mean on_order?" in done.error


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nothing_of_that_name", "ModuleNotFoundError: No module named 'nothing_of_that_name' (app.py, line "),
        ("raise SystemExit(3)", "SystemExit: 3 (app.py, line "),
        ("def broken(:", "SyntaxError: invalid syntax (app.py, line "),
        ("app.route('/no/')(print)", "Route cannot end with a trailing slash: /no/"),
        (
            "app.experimental_feature_flags.add('WEBSOCKETS')\napp.on_ws_message(name='chat')(print)",
            "app.py has WebSocket handlers",
        ),
        ("app.lambda_function(name='x' * 60)(print)", "takes names of up to 64 letters"),
    ],
)
def test_broken_app_is_refused_before_any_change(
    own_account: Account, code: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error in app.py is reported in one line with its position, before a table or a function is created."""
    (own_account.checkout.path / "app.py").write_text(
        f"from chalice import Chalice\napp = Chalice('latchkey', configure_logs=False)\n{code}\n"
    )
    own_account.cloud.changes.clear()
    for command in (["deploy", "dev"], ["deploy", "dev", "--dry-run"], ["package", "dev"]):
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.delitem(sys.modules, "app", raising=False)  # so that the copy's app.py is imported
        done = own_account.checkout.run(*command)
        assert (done.status, own_account.cloud.changes) == (1, [])
        (line,) = done.error.splitlines()
        assert said in line
        assert line.endswith("Nothing was changed.")


@pytest.mark.parametrize("name", ["api_handler", "rest_api", "hour", "report-event"])
def test_name_that_chalice_uses_is_refused(own_account: Account, name: str) -> None:
    """An own function with a name of Chalice's, or of a function of Latchkey, is refused before any change."""
    app.schedule("rate(1 hour)", name=name)(handle)
    app.lambda_function(name="another")(handle)
    configure(own_account.checkout, {})
    own_account.cloud.changes.clear()
    done = own_account.checkout.run("deploy", "dev")
    assert (done.status, own_account.cloud.changes) == (1, [])
    assert name in done.error


def test_view_that_cannot_be_imported_is_refused(own_account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """A route whose view doesn't exist is refused before any change, although only its first request imports it."""
    blueprint = Blueprint("own")
    routing.register(blueprint, [Route("GET", "/v1/orders", "orders.list_orders", scopes=("read",))], "chalicelib.own")
    monkeypatch.setattr(app, "routes", app.routes | {})
    app.register_blueprint(blueprint)
    own_account.cloud.changes.clear()
    done = own_account.checkout.run("deploy", "dev")
    assert (done.status, own_account.cloud.changes) == (1, [])
    assert "No module named 'chalicelib.own.orders'" in done.error


def test_s3_handler_is_not_packaged(own_account: Account, tmp_path: Path) -> None:
    """`make package` refuses a handler of S3 events, which Chalice's templates don't support, in one line."""
    own_account.declare("on_bucket")
    done = own_account.checkout.run("package", "dev", "--out", str(tmp_path / "out"))
    assert (done.status, done.error.count("\n")) == (1, 1)
    assert "app.py has a handler of S3 events" in done.error
