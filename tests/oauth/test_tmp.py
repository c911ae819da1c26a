from tests.oauth.flow import *
def test_evil(home: House, ada: Person, app: App, spa: App) -> None:
    out=[]
    code = ada.code(spa)
    out.append(app.ask(CLIENT, code=code).body)
    out.append(app.ask(CLIENT, refresh_token=ada.grant(spa)[1]).body)
    dev=app.post("/oauth/device_authorization").json()
    out.append(app.ask(CLIENT, device_code=dev["device_code"]).body)
    assert 0, out
