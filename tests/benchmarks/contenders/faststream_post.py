"""FastStream alone: its `@post` route, a pydantic model, and `publish` to its Kafka broker."""

import hashlib
import hmac
from typing import Any

import uvicorn
from faststream.asgi import AsgiFastStream, AsgiResponse, Request, post
from faststream.kafka import KafkaBroker

from tests.benchmarks.contenders.options import PATH, Options, read_options
from tests.benchmarks.contenders.payment import Payment


def build(options: Options) -> AsgiFastStream:
    """Return the application."""
    broker = KafkaBroker(options.bootstrap, acks="all")

    @post
    async def webhook(request: Request) -> AsgiResponse:
        body = await request.body()
        expected = hmac.new(options.secret, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, request.headers.get("x-signature", "")):
            return AsgiResponse(b"", 401)
        payment = Payment.model_validate(await request.json())
        await broker.publish(payment, options.topic, key=payment.session_id.encode())
        return AsgiResponse(b'{"success":true}', 200)

    routes: list[tuple[str, Any]] = [(PATH, webhook)]
    return AsgiFastStream(broker, asgi_routes=routes)


def main() -> None:
    """Serve as `uvicorn app:app` would, with its access log."""
    options = read_options()
    uvicorn.run(build(options), host="127.0.0.1", port=options.port)


if __name__ == "__main__":
    main()
