"""A small OpenID Connect provider over a socket: real codes, PKCE, and RS256 signatures."""

import base64
import contextlib
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

CLIENT = "payrouter-console"
_KEY_BITS = 2048


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)


@dataclass
class OidcProvider:
    """The provider: `secret` is the client's, `claims` are of the person who signs in next."""

    secret: str
    claims: dict[str, Any] = field(default_factory=dict)
    issuer: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    answer_token: str | None = None
    """A token to return instead of a genuine one."""

    @cached_property
    def key(self) -> rsa.RSAPrivateKey:
        """The key that signs."""
        return _new_key()

    def authorize(self, query: dict[str, str]) -> str:
        """Sign the person in at once, and return the URL to which the browser is sent."""
        assert query["client_id"] == CLIENT
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        back = urlencode({"code": code, "state": query["state"]})
        return f"{query['redirect_uri']}?{back}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """Return the tokens of a code, which is valid once; None if anything is wrong."""
        asked = self.codes.pop(form.get("code", ""), None)
        expected = base64.b64encode(f"{CLIENT}:{self.secret}".encode()).decode()
        if asked is None or authorization != f"Basic {expected}":
            self.problems.append("code or secret")
            return None
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            self.problems.append("verifier or redirect_uri")
            return None
        token = self.answer_token or self.signed(nonce=asked["nonce"])
        return {"access_token": "unused", "token_type": "Bearer", "id_token": token}

    def signed(self, key: rsa.RSAPrivateKey | None = None, **claims: object) -> str:
        """Return a signed token; other claims replace the usual ones."""
        now = int(time.time())
        usual = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "1",
            "iat": now,
            "exp": now + 300,
            **self.claims,
        }
        return jwt.encode({**usual, **claims}, key or self.key, "RS256", {"kid": "first"})

    def metadata(self) -> dict[str, Any]:
        """Return the provider's settings."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }

    def keys(self) -> dict[str, Any]:
        """Return the public key."""
        public = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": "first", "use": "sig", "alg": "RS256"}]}


def other_key() -> rsa.RSAPrivateKey:
    """Return a key that the provider does not have."""
    return _new_key()


@contextlib.contextmanager
def oidc_provider(secret: str) -> Iterator[OidcProvider]:
    """Run a provider during the block."""
    provider = OidcProvider(secret)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(provider))
    provider.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def returned_path(location: str) -> str:
    """Return the path and query of the URL to which a browser is sent back."""
    parts = urlsplit(location)
    return f"{parts.path}?{parts.query}"


def query_of(url: str) -> dict[str, str]:
    """Return the query of a URL, each name once."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def _handler_of(provider: OidcProvider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path == "/authorize":
                self.send_response(302)
                self.send_header("location", provider.authorize(query_of(self.path)))
                self.send_header("content-length", "0")
                self.end_headers()
                return
            known = {
                "/.well-known/openid-configuration": provider.metadata,
                "/keys": provider.keys,
            }
            self._answer(200 if path in known else 404, known[path]() if path in known else {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            found = provider.token(dict(parse_qsl(body)), self.headers["authorization"] or "")
            self._answer(400 if found is None else 200, found or {"error": "invalid_grant"})

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
            pass

        def _answer(self, status: int, found: dict[str, Any]) -> None:
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
