"""`make run` while the code changes: reloads, errors at start-up, tracebacks of views."""

import signal

import requests

from tests.local.make_run import GIVEN_UP_AFTER_S, Tree, bearer

OWN_VIEW = """

@app.route("/own")
def own():
    return {answer}
"""


def test_change_of_the_code_is_served_without_a_restart(tree: Tree) -> None:
    """A request during a restart waits for the changed code; accounts and keys are kept."""
    run = tree.start()
    app, before = tree.path / "app.py", (tree.path / "app.py").read_text()
    app.write_text(before + OWN_VIEW.format(answer='{"version": 1}'))
    assert run.until("Reloading: app.py changed.")
    assert requests.get(f"{run.url}/own", timeout=GIVEN_UP_AFTER_S).json() == {"version": 1}
    app.write_text(before + OWN_VIEW.format(answer='{"version": 22}'))
    assert run.until("Reloading: app.py changed.")
    assert requests.get(f"{run.url}/own", timeout=GIVEN_UP_AFTER_S).json() == {"version": 22}
    assert run.get("/v1/users/me", run.keys[0])["tier"] == "free"
    assert run.interrupt(signal.SIGINT).split()[-1] == "Stopped."
    assert tree.engines() == []


def test_code_with_an_error_is_reported_and_reloaded_after_a_fix(tree: Tree) -> None:
    """The terminal shows the line of the error, requests get a 503 that refers to it, and a fix is served at once."""
    run = tree.start()
    app, before = tree.path / "app.py", (tree.path / "app.py").read_text()
    app.write_text(before + "\nthis is no Python\n")
    assert "this is no Python" in run.until("The code doesn't load")
    for method, accepted, kind in (("GET", "*/*", "application/json"), ("POST", "text/html", "text/html")):
        headers = {"Accept": accepted}
        response = requests.request(method, f"{run.url}/v1/limits", headers=headers, data=b"x" * 70_000, timeout=10)
        assert (response.status_code, response.headers["Content-Type"].partition(";")[0]) == (503, kind)
        assert "terminal" in response.text
    app.write_text(before)
    run.until("Serving on")
    assert run.get("/v1/users/me", run.keys[0])["tier"] == "free"


def test_exception_of_a_view_is_readable_in_the_terminal(tree: Tree) -> None:
    """The terminal shows the view's part of the traceback, the log contains the traceback as JSON, and the caller gets
    a 500.
    """
    views = tree.path / "chalicelib" / "api" / "limits.py"
    views.write_text(views.read_text().replace("    return {", "    1 / 0\n    return {", 1))
    run = tree.start()
    response = requests.get(f"{run.url}/v1/limits", headers=bearer(run.keys[0]), timeout=GIVEN_UP_AFTER_S)
    assert (response.status_code, response.json()["error"]) == (500, "internal_error")
    shown = run.until("ZeroDivisionError")
    assert 'File "chalicelib/api/limits.py"' in shown
    assert "    1 / 0\n" in shown
    assert "routing.py" not in shown
