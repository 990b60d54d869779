"""Makes the FastStream broker that a consumer subscribes with."""

from typing import Any

from faststream.kafka import KafkaBroker
from faststream.security import (
    BaseSecurity,
    SASLOAuthBearer,
    SASLPlaintext,
    SASLScram256,
    SASLScram512,
)

from router.broker.client import broker_options
from router.broker.connection import KafkaConnection

_SASL = {
    "PLAIN": SASLPlaintext,
    "SCRAM-SHA-256": SASLScram256,
    "SCRAM-SHA-512": SASLScram512,
}


def make_broker(kafka: KafkaConnection, **options: Any) -> KafkaBroker:  # noqa: ANN401 - FastStream's
    """Make a broker with the current password.

    It makes its clients when it is started: pass those to `keep_signed_in` then.
    """
    return KafkaBroker(**{**options, **broker_options(kafka)}, security=_security(kafka))


def _security(kafka: KafkaConnection) -> BaseSecurity | None:
    settings, context = kafka.settings, kafka.credentials.context
    if settings.security_protocol == "PLAINTEXT":
        return None
    if settings.security_protocol == "SSL":
        return BaseSecurity(ssl_context=context, use_ssl=True)
    use_ssl = context is not None
    if settings.sasl_mechanism == "OAUTHBEARER":
        return SASLOAuthBearer(ssl_context=context, use_ssl=use_ssl)
    mechanism = _SASL[settings.sasl_mechanism or "PLAIN"]
    name, password = settings.sasl_username or "", kafka.credentials.password
    return mechanism(name, password, ssl_context=context, use_ssl=use_ssl)
