"""TLS for addresses that other machines can reach: certificates pinned by their fingerprint.

Standard library; a certificate is made by the system's ``openssl``.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import socket
import ssl
import subprocess
import tempfile


class TlsError(OSError):
    """No encrypted connection, or no certificate, can be had; says why."""


def secured(sock: socket.socket, host: str, fingerprint: str) -> ssl.SSLSocket:
    """The client's end of a connection; nothing has been sent yet. Raises TlsError.

    ``fingerprint``, where given, is all that counts; else the system has to trust the certificate.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if fingerprint:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        secure = context.wrap_socket(sock, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        raise TlsError(
            f"the certificate of {host} isn't trusted ({error.verify_message}); "
            "give its fingerprint, which the connection file has"
        ) from None
    except ssl.SSLError as error:
        raise TlsError(f"{host} doesn't speak TLS as expected: {error.reason}") from None
    certificate = secure.getpeercert(binary_form=True) or b""
    if fingerprint and not hmac.compare_digest(
        hashlib.sha256(certificate).hexdigest(), plain(fingerprint)
    ):
        secure.close()
        raise TlsError(f"{host} has another certificate than the one whose fingerprint was given")
    return secure


def plain(fingerprint: str) -> str:
    """A fingerprint as we spell it, from how others do: ``AB:CD...``."""
    return fingerprint.replace(":", "").strip().lower()


def server(certificate: str, key: str | None) -> tuple[ssl.SSLContext, str]:
    """What listens with a certificate, in a PEM file, and the fingerprint. Raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
        with open(certificate, encoding="ascii") as file:
            der = ssl.PEM_cert_to_DER_cert(_first(file.read()))
    except (OSError, ValueError) as error:
        raise TlsError(f"the certificate {certificate} can't be used: {error}") from None
    return context, hashlib.sha256(der).hexdigest()


def made() -> tuple[ssl.SSLContext, str]:
    """The same with a new certificate, signed by itself, of which no file stays. Raises TlsError."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise TlsError("there is no openssl to make a certificate with")
    with tempfile.TemporaryDirectory(prefix="graphdebug-") as directory:
        key, certificate = os.path.join(directory, "key"), os.path.join(directory, "certificate")
        done = subprocess.run(
            [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", "365", "-subj", "/CN=graphdebug", "-keyout", key,
             "-out", certificate],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise TlsError(f"openssl made no certificate: {done.stderr.strip()[-200:]}")
        return server(certificate, key)


def _first(text: str) -> str:
    end = "-----END CERTIFICATE-----"
    begin = text.index("-----BEGIN CERTIFICATE-----")
    return text[begin : text.index(end, begin) + len(end)]
