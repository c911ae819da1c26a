"""Redact every line before it is printed or written, because a report may be attached to a public issue."""

import re
from dataclasses import dataclass, field

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
_SECRET = re.compile(r"\b[a-z0-9]{1,10}_(?:live|test|[a-z]{2})_[0-9A-Za-z]{20,}")
_ID = re.compile(r"\b(acc|key|tok|app|gra|whk|evt|ses|inc)_[0-9A-Za-z]{8,}")
_IPV4 = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F:]*|(?<![\w:])(?:[0-9a-fA-F]{1,4}:)+:[0-9a-fA-F:]*")
_AWS_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
_AWS_USER = re.compile(r"(arn:[\w-]+:(?:iam|sts)::\d*:)[^\s,;]+")
_AWS_KEY = re.compile(r"\bA[KS]IA[0-9A-Z]{12,}")
_HOST = re.compile(r"https?://[^\s\"'/<>]+")
_FORMS = (
    (_SECRET, "<secret>"),
    (_AWS_KEY, "<aws key>"),
    (_AWS_USER, r"\1<user>"),
    (_EMAIL, "<email>"),
    (_HOST, "https://<host>"),
    (_ID, r"<\1 id>"),
    (_IPV4, "<ip>"),
    (_IPV6, "<ip>"),
    (_AWS_ACCOUNT, "<account>"),
)


@dataclass
class Redaction:
    """Redacts secrets, ids, addresses and AWS accounts by their format, and the values that `hide` was called with."""

    hidden: dict[str, str] = field(default_factory=dict, repr=False)
    """The replacement text for each hidden value."""

    def hide(self, secret: str, name: str = "secret") -> str:
        """Redact a value in all further texts, and return the value."""
        if secret:
            self.hidden[secret] = f"<{name}>"
        return secret

    def of(self, text: str) -> str:
        """Return a text with all confidential values replaced."""
        for secret in sorted(self.hidden, key=len, reverse=True):
            text = text.replace(secret, self.hidden[secret])
        for form, name in _FORMS:
            text = form.sub(name, text)
        return text
