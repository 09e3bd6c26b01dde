"""Certificates that no public authority has issued."""

import ssl
import subprocess
from pathlib import Path


def self_signed(folder: Path, address: str) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate of an IP address; return its file, for clients, and a server's context."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subject = ("-subj", f"/CN={address}", "-addext", f"subjectAltName=IP:{address}")
    request = ("openssl", "req", "-x509", "-nodes", "-days", "1", "-newkey", "rsa:2048", *subject)
    command = [*request, "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    return certificate, tls
