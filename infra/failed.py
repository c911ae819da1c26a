"""What a deployment says when a step of it fails."""


class DeployError(Exception):
    """A step failed; the message says which, what still runs, and what to do."""


class Mistake(Exception):
    """What the operator got wrong, and how to go on."""
