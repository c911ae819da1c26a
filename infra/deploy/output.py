"""Output of the commands."""


def say(text: str) -> None:
    """Tell the owner what happens, as it happens."""
    print(text, flush=True)
