"""`make incident`: open, update and close an incident on the status page."""

import argparse

from infra.failed import Mistake


def change(options: argparse.Namespace) -> None:
    """Open an incident, or update the incident with the given id, and print the command for the next update."""
    from chalicelib.uptime import incidents, states

    if not options.text:
        raise Mistake("TEXT is missing: it is the message to readers of the status page.")
    state = states.RESOLVED if options.close else options.state or states.INVESTIGATING
    if options.id:
        incident = incidents.update(options.id, options.text, state)
    elif state == states.RESOLVED:
        raise Mistake('ID is missing: /status.json lists it. Run make incident ID=inc_… TEXT="…" CLOSE=1')
    else:
        incident = incidents.open_incident(options.title, options.text, _components(options), state)
    print(f"{incident.at}  {incident.title}: {state}. Readers of /status see it within 15 seconds.")
    if incident.closed_at is None:
        where = "" if options.stage in ("", "local") else f" STAGE={options.stage}"
        print(f'Next update: make incident ID={incident.at} TEXT="…" [STATE=identified|monitoring] [CLOSE=1]{where}')


def _components(options: argparse.Namespace) -> list[str]:
    if not options.title:
        raise Mistake("TITLE is missing: it names the problem. To update an open incident, set ID instead.")
    chosen: list[str] = options.components.replace(",", " ").split()
    return chosen
