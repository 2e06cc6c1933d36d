"""Passwords and TLS files that the settings name, read when a connection is set up: of ``kafka`` or of ``redis``."""

import ssl
from pathlib import Path
from typing import Literal

from streamrec.settings import Settings, SettingsError

Server = Literal["kafka", "redis"]


def password(settings: Settings, server: Server) -> str | None:
    """The password, as it is or from its file, as orchestrators mount it; a final newline is not part of it.

    Raises
    ------
    SettingsError
        There is no such file, or it may not be read, or is empty.
    """
    name = f"{server}_password_file"
    file: str | None = getattr(settings, name)
    if file is None:
        given: str | None = getattr(settings, f"{server}_password")
        return given
    try:
        read = Path(file).read_text().removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name}: {error}") from error
    if not read:
        raise SettingsError(f"{name}: {file} is empty")
    return read


def tls_context(settings: Settings, server: Server, key_password: str | None = None) -> ssl.SSLContext:
    """What verifies the server, and shows it our certificate if there is one.

    Raises
    ------
    SettingsError
        A file is not there, or does not hold what it should.
    """
    ca, certificate, key = (getattr(settings, f"{server}_{kind}_file") for kind in ("ca", "certificate", "key"))
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:  # ssl.SSLError is one
        raise SettingsError(f"{server}_ca_file: {ca}: {error}") from error
    if certificate is not None:
        try:
            context.load_cert_chain(certificate, key, password=key_password or "")
        except OSError as error:
            raise SettingsError(f"{server}_certificate_file: {certificate}, {key}: {error}") from error
    return context
