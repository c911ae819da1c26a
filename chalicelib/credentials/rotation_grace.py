"""Grace period of key rotation: how long the old key works after it was rotated, in seconds."""

DEFAULT_S = 86_400
MAX_S = 604_800
