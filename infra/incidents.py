"""`make incident`: opens, updates and closes an incident on the status page."""

import argparse
import unicodedata

from infra.failed import Mistake


def change(options: argparse.Namespace) -> None:
    """Open an incident, or go on with the one that has an id; print what comes next."""
    from chalicelib.core import ids
    from chalicelib.uptime import incidents, states

    if not options.text.strip() or len(options.text) > incidents.TEXT_MAX:
        raise Mistake(f"TEXT must say what readers should know, in at most {incidents.TEXT_MAX} characters.")
    must_be_readable("TEXT", options.text.replace("\n", ""))
    state = states.RESOLVED if options.close else options.state or states.INVESTIGATING
    if state not in states.OF_INCIDENTS:
        raise Mistake(f"STATE must be one of {', '.join(states.OF_INCIDENTS)}.")
    if options.id:
        if not ids.is_id(options.id, "inc"):
            raise Mistake("ID must be what opening the incident has printed: inc_…")
        incident = incidents.update(options.id, options.text.strip(), state)
    elif state == states.RESOLVED:
        raise Mistake('Which incident is over? Its ID is in /status.json: make incident ID=inc_… TEXT="…" CLOSE=1')
    else:
        incident = incidents.open_one(options.title.strip(), options.text.strip(), _components(options), state)
    print(f"{incident.at}  {incident.title}: {state}. Readers of /status see it within 15 seconds.")
    if incident.closed_at is None:
        where = "" if options.stage in ("", "local") else f" STAGE={options.stage}"
        print(f'Go on with: make incident ID={incident.at} TEXT="…" [STATE=identified|monitoring] [CLOSE=1]{where}')


def _components(options: argparse.Namespace) -> list[str]:
    from chalicelib.uptime.states import COMPONENTS

    if not 0 < len(options.title.strip()) <= 100:
        raise Mistake("TITLE must be 1 to 100 characters; or give the ID of an open incident.")
    must_be_readable("TITLE", options.title)
    chosen: list[str] = options.components.replace(",", " ").split()
    for name in chosen:
        if name not in COMPONENTS:
            raise Mistake(f"COMPONENTS must be some of {', '.join(COMPONENTS)}.")
    return chosen


def must_be_readable(name: str, text: str) -> None:
    """Refuse what has no place on a page or in a feed, whose XML can't hold all of it; any kind of space is fine."""
    for character in text:
        if not character.isprintable() and unicodedata.category(character) != "Zs":
            raise Mistake(f"{name} has a character that can't be shown: U+{ord(character):04X}. Leave it out.")
