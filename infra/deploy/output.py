"""What the commands say to whoever deploys."""


def say(text: str) -> None:
    """Tell the owner what happens, as it happens."""
    print(text, flush=True)
