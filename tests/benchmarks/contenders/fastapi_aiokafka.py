"""FastAPI and aiokafka: check the HMAC, parse, validate, `send_and_wait`, answer."""

import contextlib
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Annotated

import uvicorn
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI, Header, HTTPException, Request

from tests.benchmarks.contenders.options import PATH, Options, read_options
from tests.benchmarks.contenders.payment import Payment


def build(options: Options) -> FastAPI:
    """Return the application."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        producer = AIOKafkaProducer(bootstrap_servers=options.bootstrap, acks="all")
        await producer.start()
        app.state.producer = producer
        yield
        await producer.stop()

    app = FastAPI(lifespan=lifespan)

    @app.post(PATH)
    async def webhook(request: Request, x_signature: Annotated[str, Header()]) -> dict[str, bool]:
        body = await request.body()
        expected = hmac.new(options.secret, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, x_signature):
            raise HTTPException(401)
        payment = Payment.model_validate(json.loads(body))
        value, key = payment.model_dump_json().encode(), payment.session_id.encode()
        await request.app.state.producer.send_and_wait(options.topic, value, key)
        return {"success": True}

    return app


def main() -> None:
    """Serve as `uvicorn app:app` would, with its access log."""
    options = read_options()
    uvicorn.run(build(options), host="127.0.0.1", port=options.port)


if __name__ == "__main__":
    main()
