"""How long a rotated key works on, in seconds."""

DEFAULT_S = 86_400
MAX_S = 604_800
