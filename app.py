"""The Chalice app of Latchkey with its middleware and its blueprints."""

from chalice.app import Chalice

from chalicelib.api import authorizer, background, middleware, routes
from chalicelib.api.console import routes as console
from chalicelib.core import settings

app = Chalice(app_name="latchkey", configure_logs=False)
middleware.install(app)

app.register_blueprint(authorizer.blueprint)
app.register_blueprint(background.blueprint)
app.register_blueprint(routes.blueprint)
app.register_blueprint(console.blueprint)

if settings.under_chalice_cli():
    # Patch Chalice's commands (`local`, `deploy`, `package`). Import `infra` only here, because it is not deployed to
    # Lambda.
    from infra import chalice_cli

    chalice_cli.install()
