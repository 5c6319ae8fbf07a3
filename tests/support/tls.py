"""A certificate for 127.0.0.1 and localhost, made when it is needed, and a client's side that trusts it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization


@dataclass(frozen=True)
class Certificate:
    """Two files for a server, in PEM, and the authority that signed them.

    Attributes:
        chain: the certificate.
        key: its key, as PKCS 8, which granian asks for.
        both: the key and the certificate in one file, which HAProxy asks for.
        authority: whom a client is to trust.
    """

    chain: Path
    key: Path
    both: Path
    authority: trustme.CA

    def client(self) -> ssl.SSLContext:
        """Return a client's context."""
        context = ssl.create_default_context()
        context.load_verify_locations(cadata=self.authority.cert_pem.bytes().decode())
        return context


def make_certificate(folder: Path) -> Certificate:
    """Write a new certificate's files into a folder."""
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
    key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    made = Certificate(folder / "chain.pem", folder / "key.pem", folder / "both.pem", authority)
    made.chain.write_bytes(chain)
    made.key.write_bytes(key)
    made.both.write_bytes(key + chain)
    return made
