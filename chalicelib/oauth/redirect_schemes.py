"""Which URI schemes of a redirect an application may call its own (RFC 8252 §7.1): any that nobody else answers.

The RFC asks for a reverse domain name, and editors and terminals that people use have none (`cursor:`, `vscode:`,
`warp:`). So every scheme is taken but those below: a browser or an operating system acts on them by itself, or they
belong to a protocol. Consent is asked each time where one is used, since other apps may claim it too (§8.6).
"""

import re

# Two letters or more, as one letter is a drive of Windows; between dots there is something.
_PRIVATE = re.compile(r"(?=[a-z0-9.+-]{2})[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)*")

_RUN_OR_READ = """
    about blob cid content data file filesystem intent jar javascript livescript mhtml mid mk mocha pack res resource
    vbscript view-source wyciwyg x-javascript shell hcp its search help applescript shortcuts workflow terminal
    x-man-page android-app android-resource app-settings app-prefs prefs itms itms-apps itms-appss itms-services
    macappstore macappstores market apt package opener launch steam wasm webkit
"""
"""Run a script or a program, read what is on the machine, install something, or change settings."""

_OF_BROWSERS = """
    brave browser chromium devtools edge extension firefox google-chrome googlechrome googlechromes microsoft-edge opera
    read reader safari safari-extension safari-web-extension vivaldi webview
"""

_OF_PROTOCOLS = """
    aaa aaas acap acct afp amqp amqps bitcoin callto cap chromecast cifs coap coaps crid cvs dav davs dict dns doi
    ed2k ethereum facetime facetime-audio fax feed finger fish ftp ftps geo git git+ssh go gopher gs h323 hdfs http
    https iax icap im imap imaps info ipfs ipn ipns ipp ipps irc irc6 ircs iris jabber jdbc jms ldap ldapi ldaps
    lightning localhost magnet mailto maps memcached message mms mmst mmsu mmsto modem mongodb mqtt mqtts ms msrp mumble
    mysql nfs ni nih nntp news odbc oid pkcs11 pop pop3 postgres postgresql pres prospero rdp redis rediss rlogin rmi
    rsync rtmp rtmps rtsp rtspu s3 scp secondlife service sftp sgn shttp sieve sip sips skype smb sms smsto smtp smtps
    snews snmp soap sqlite ssh stun stuns svn svn+ssh tag tel teredo telnet tftp tip tn3270 turn turns tv udp unix uri
    urn uuid vemmi vnc wais webcal ws wss xcon xmpp z39.50 z39.50r z39.50s
"""

_DENIED = frozenset(f"{_RUN_OR_READ} {_OF_BROWSERS} {_OF_PROTOCOLS}".split())
_DENIED_BEGINNINGS = ("chrome", "search-", "moz-", "ms-", "view-", "x-apple", "android-", "javascript", "vbscript")


def is_private_use(scheme: str) -> bool:
    """Return whether an application may call a `scheme`, in lower case, its own."""
    if not _PRIVATE.fullmatch(scheme) or scheme in _DENIED:
        return False
    return not scheme.startswith(_DENIED_BEGINNINGS)
