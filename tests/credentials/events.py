"""What an account was told."""

from chalicelib.events import kinds, record

Told = tuple[str, dict[str, str]]


def told(account_id: str, *, but: int = 0) -> list[Told]:
    """Return type and content of an account's events since it was made, those of one millisecond by type.

    The first of them are left out, so many as `but` says.
    """
    events = sorted(record.since(account_id, "evt_"), key=lambda event: (event.at, event.type))
    return [(each.type, each.changed.as_dict()) for each in events if each.type != kinds.ACCOUNT_CREATED][but:]
