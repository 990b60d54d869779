"""Certificates for tests: self-signed pairs that a client can distinguish."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def write_pair(
    certificate: Path, key: Path, organization: str, lasts: timedelta = timedelta(days=30)
) -> None:
    """Write a certificate for localhost and its key, in PEM; a negative `lasts` has expired."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "localhost"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
        ]
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + lasts)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def organization_of(certificate: bytes | None) -> str:
    """Return the organization of a certificate in DER."""
    assert certificate is not None
    subject = x509.load_der_x509_certificate(certificate).subject
    (attribute,) = subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(attribute.value)
