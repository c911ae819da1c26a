"""`make incident`: opens, updates and closes an incident on the status page."""

import argparse

from infra.failed import Mistake


def change(options: argparse.Namespace) -> None:
    """Open an incident, or go on with the one that has an id; print what comes next."""
    from chalicelib.uptime import incidents, states

    if not options.text:
        raise Mistake("TEXT must say what readers should know.")
    state = states.RESOLVED if options.close else options.state or states.INVESTIGATING
    if options.id:
        incident = incidents.update(options.id, options.text, state)
    elif state == states.RESOLVED:
        raise Mistake('Which incident is over? Its ID is in /status.json: make incident ID=inc_… TEXT="…" CLOSE=1')
    else:
        incident = incidents.open_incident(options.title, options.text, _components(options), state)
    print(f"{incident.at}  {incident.title}: {state}. Readers of /status see it within 15 seconds.")
    if incident.closed_at is None:
        where = "" if options.stage in ("", "local") else f" STAGE={options.stage}"
        print(f'Go on with: make incident ID={incident.at} TEXT="…" [STATE=identified|monitoring] [CLOSE=1]{where}')


def _components(options: argparse.Namespace) -> list[str]:
    if not options.title:
        raise Mistake("TITLE must say what is wrong; or give the ID of an open incident.")
    chosen: list[str] = options.components.replace(",", " ").split()
    return chosen
