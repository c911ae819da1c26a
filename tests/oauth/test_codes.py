from tests.oauth.flow import *
def test_a(home: House, ada: Person, app: App) -> None:
    t = ada.tokens(app)
    print(t)
    assert works(home, t["access_token"])
def test_b(home: House, ada: Person, spa: App) -> None:
    for i in range(20): t = ada.tokens(spa)
def test_evil(home: House, ada: Person, app: App, spa: App) -> None:
    code = ada.code(spa)
    print(app.ask(CLIENT, code=code))
    print(app.post("/oauth/token", grant_type=CLIENT, code=code))
    print(post(home, "/oauth/token", {}, headers={"Authorization":"Basic é"}))
    for t in ["/oauth/authorize?client_id=https://[/x","/oauth/authorize?client_id=https://a:99999/x", spa.asking(response_type='co"de')]:
        print(t, ada.open(t).status)
    print(app.post("/oauth/token"))
