"""Private-use URI schemes: the schemes that a native app may use in a redirect URI (RFC 8252 §7.1, §8.4).

More lenient than the RFC, which requires a reversed domain name: editors, assistants and terminals use schemes without
a dot. Therefore every scheme is allowed except those that browsers, operating systems and well-known programs handle.
Consent is required each time such a scheme is used, because other apps can claim it too (§8.6).
"""

import re

_SCHEME = re.compile(r"[a-z](?:[a-z0-9+-]|\.(?=[a-z0-9])){1,63}")

_RUN_OR_SHOWN = """
    about acrobat app-prefs blob brave browser chromium cid content data devtools edge excel extension file
    filesystem firefox google-chrome googlechrome googlechromes hcp help infopath intent its jar launch livescript
    local macappstore macappstores mhtml mk mocha opener opera package powerpoint project publisher read reader
    res resource search shell terminal tv vbs visio vivaldi wasm webview word workflow wyciwyg
"""
"""Schemes whose URIs a browser or operating system executes, or shows as its own content."""
_FETCHED = """
    aaa aaas acap afp amqp amqps cap cifs coap coap+tcp coap+ws coaps coaps+tcp coaps+ws cvs dav davs dict dweb
    ed2k feed finger fish ftp ftps git git+ssh gopher gs hdfs http https httpx icap imaps ipfs ipn ipns ipp ipps
    irc irc6 ircs iris iris.beep iris.lwz iris.xpc iris.xpcs jabber jdbc ldap ldapi ldaps localhost magnet
    memcached mms mmst mmsto mmsu mongodb mqtt mqtts ms msrp mysql news nfs nntp odbc pop pop3 postgres postgresql
    prospero rdp redis rediss rlogin rmi rsync rtmp rtmps rtsp rtsps rtspu s3 scp secondlife sftp sgn shttp sieve
    smb smtp smtps snews snmp soap soap.beep soap.beeps sqlite ssh svn svn+ssh telnet teredo tftp torrent udp unc
    unix uri vnc wais webdav webdavs ws wss xmlrpc.beep xmlrpc.beeps z39.50 z39.50r z39.50s
"""
"""Schemes of protocols by which programs fetch or send data."""
_PEOPLE_AND_PLACES = """
    acct aim bitcoin callto ethereum fax fb fb-messenger geo gtalk h323 hangouts im imap imessage instagram itms
    lightning linkedin mailto maps market message messages mid modem msnim msteams mumble payto pres sip sips
    skype slack sms smsto snapchat spotify ssb steam stun stuns teamspeak tel telegram tg ts3server turn turns
    twitter upi viber webcal webcals wechat weixin whatsapp wtai xmpp ymsgr zoom zoommtg zoomus
"""
"""Schemes for calls, messages, payments, media, and widely installed programs."""
_NAMES = """
    apt cert crid dns doi dtn example go hdl iax info iotdisco jms lid mvn ni nih oid opaquelocktoken openid pack
    pkcs11 pwid reload secret-token service session swid swidpath tag tip tn3270 tool ui urn uuid vemmi xcon
    xcon-userid xfire xri
"""
"""Schemes of identifiers."""
_DENIED = frozenset(" ".join((_RUN_OR_SHOWN, _FETCHED, _PEOPLE_AND_PLACES, _NAMES)).split())

_FAMILIES = (
    "android-", "app-settings", "applescript", "chrome", "ext+", "facebook", "facetime", "itms-", "javascript",
    "microsoft", "moz", "ms-", "onenote", "prefs", "safari", "search-", "shortcuts", "vbscript", "view-",
    "web+", "webkit", "x-",
)  # fmt: skip
"""Prefixes of denied schemes: websites can register schemes with such a prefix, or one program uses several of them."""


def is_private_use(scheme: str) -> bool:
    """Return whether an app may use `scheme`, in lower case, as a private-use scheme."""
    return _SCHEME.fullmatch(scheme) is not None and scheme not in _DENIED and not scheme.startswith(_FAMILIES)
