"""Print the progress of a command."""


def say(text: str) -> None:
    """Print a line immediately."""
    print(text, flush=True)
