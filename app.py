"""Latchkey, table of contents: the Chalice app, its middleware, its blueprints."""

from chalice.app import Chalice

from chalicelib.api import (
    authorizer,
    background,
    discovery,
    events,
    keys,
    leaks,
    limits,
    middleware,
    oauth,
    openapi,
    status,
    users,
    verify,
    webhooks,
    well_known,
)
from chalicelib.api.console import routes as console
from chalicelib.core import settings

app = Chalice(app_name="latchkey", configure_logs=False)
middleware.install(app)

app.register_blueprint(authorizer.blueprint)
app.register_blueprint(background.blueprint)
app.register_blueprint(users.blueprint)
app.register_blueprint(keys.blueprint)
app.register_blueprint(limits.blueprint)
app.register_blueprint(events.blueprint)
app.register_blueprint(webhooks.blueprint)
app.register_blueprint(verify.blueprint)
app.register_blueprint(leaks.blueprint)
app.register_blueprint(status.blueprint)
app.register_blueprint(oauth.blueprint)
app.register_blueprint(discovery.blueprint)
app.register_blueprint(openapi.blueprint)
app.register_blueprint(well_known.blueprint)
app.register_blueprint(console.blueprint)

if settings.under_chalice_cli():
    # `chalice local`, `deploy` and `package` learn our gateway's answers here; nothing of it reaches Lambda.
    from infra import chalice_cli

    chalice_cli.install()
