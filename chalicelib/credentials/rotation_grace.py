"""The grace period of key rotation in seconds: how long the old key still works.

`rotate` computes from it when the old key expires.
"""

DEFAULT_S = 86_400
MAX_S = 604_800
