"""OpenID Connect: authorization code with PKCE, state and nonce; checks the signed identity."""

import base64
import hashlib
import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import jwt

from router.configuration.process_settings import ConsoleOidcSettings

CALLBACK: Final = "/sign-in/oidc/callback"
_SECONDS: Final = 10
_LEEWAY_SECONDS: Final = 30
_LARGEST_ANSWER: Final = 1024 * 1024
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384")
"""Signatures with a public key: none with a shared secret, and none without one."""


class ProviderUnusable(Exception):  # noqa: N818 - named for what it is
    """The provider does not answer as it should; the message holds no token."""


class IdentityRefused(Exception):  # noqa: N818 - named for what it is
    """The identity that was returned is not proven; the message holds no token."""


@dataclass(frozen=True)
class OidcStart:
    """What a browser keeps while its person is at the provider, in a signed cookie."""

    state: str
    nonce: str
    verifier: str
    following: str

    @classmethod
    def new(cls, following: str) -> "OidcStart":
        """Return a start with new random values, and the path to show afterwards."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, following)


@dataclass(frozen=True)
class Identity:
    """Name and groups that the provider has signed."""

    name: str
    groups: Sequence[str]


@dataclass(frozen=True)
class OidcClient:
    """Talks to the provider; each call blocks, so it belongs into a thread."""

    settings: ConsoleOidcSettings
    redirect_url: str
    opener: urllib.request.OpenerDirector = field(
        default_factory=lambda: urllib.request.build_opener(_NoRedirect), repr=False
    )

    def start_url(self, start: OidcStart) -> str:
        """Return the URL of the provider at which the person signs in."""
        digest = hashlib.sha256(start.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.redirect_url,
            "scope": " ".join(self.settings.scopes),
            "state": start.state,
            "nonce": start.nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        endpoint = self._endpoint(self._metadata(), "authorization_endpoint")
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def identity(self, code: str, start: OidcStart) -> Identity:
        """Exchange a code for the identity; raises ProviderUnusable or IdentityRefused."""
        metadata = self._metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_url,
            "client_id": self.settings.client_id,
            "code_verifier": start.verifier,
        }
        answer = self._json(self._endpoint(metadata, "token_endpoint"), urlencode(form).encode())
        token = answer.get("id_token")
        if not isinstance(token, str):
            message = "the provider returned no id_token"
            raise IdentityRefused(message)
        return self._read(self._claims(token, metadata, start))

    def _claims(
        self, token: str, metadata: Mapping[str, Any], start: OidcStart
    ) -> Mapping[str, Any]:
        keys = self._json(self._endpoint(metadata, "jwks_uri"))
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                _key_of(token, keys),
                algorithms=list(_ALGORITHMS),
                audience=self.settings.client_id,
                issuer=metadata["issuer"],
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "aud", "iss", "sub"]},
            )
        except jwt.PyJWTError as error:
            message = f"the id_token is not proven: {type(error).__name__}"
            raise IdentityRefused(message) from None
        if not secrets.compare_digest(str(claims.get("nonce", "")).encode(), start.nonce.encode()):
            message = "the id_token is of another sign-in: its nonce differs"
            raise IdentityRefused(message)
        audiences = claims["aud"]
        presenter = claims.get("azp", self.settings.client_id)
        if isinstance(audiences, list) and presenter != self.settings.client_id:
            message = "the id_token is for another client"
            raise IdentityRefused(message)
        return claims

    def _read(self, claims: Mapping[str, Any]) -> Identity:
        name = claims.get(self.settings.name_claim)
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            message = f"the id_token has no claim {self.settings.name_claim} with a name"
            raise IdentityRefused(message)
        if self.settings.name_claim == "email" and claims.get("email_verified") is not True:
            message = "the e-mail address of the id_token is not verified"
            raise IdentityRefused(message)
        groups = claims.get(self.settings.groups_claim, ())
        listed = [groups] if isinstance(groups, str) else groups
        return Identity(name.strip(), [str(each) for each in listed or ()])

    def _metadata(self) -> Mapping[str, Any]:
        found = self._json(f"{self.settings.issuer}/.well-known/openid-configuration")
        if str(found.get("issuer", "")).rstrip("/") != self.settings.issuer:
            message = f"the provider's issuer is not console.oidc.issuer, {self.settings.issuer}"
            raise ProviderUnusable(message)
        return found

    def _endpoint(self, metadata: Mapping[str, Any], name: str) -> str:
        url = str(metadata.get(name, ""))
        # A provider with TLS must not lead to a connection without it.
        if urlsplit(url).scheme not in {"https", urlsplit(self.settings.issuer).scheme}:
            message = f"the provider has no usable {name}"
            raise ProviderUnusable(message)
        return url

    def _json(self, url: str, body: bytes | None = None) -> dict[str, Any]:
        request = urllib.request.Request(url, body)  # noqa: S310 - the configured provider
        request.add_header("accept", "application/json")
        secret = self.settings.client_secret
        if body is not None and secret is not None:
            pair = urlencode({self.settings.client_id: secret.get_secret_value()})
            name, _, text = pair.partition("=")
            encoded = base64.b64encode(f"{name}:{text}".encode()).decode()
            request.add_header("authorization", f"Basic {encoded}")
        try:
            with self.opener.open(request, timeout=_SECONDS) as response:
                found = json.loads(response.read(_LARGEST_ANSWER))
        except (OSError, ValueError) as error:
            status = f" {error.code}" if isinstance(error, urllib.error.HTTPError) else ""
            where = urlsplit(url).netloc
            message = f"the provider at {where} failed: {type(error).__name__}{status}"
            raise ProviderUnusable(message) from None
        if not isinstance(found, dict):
            message = "the provider answered something else than a JSON object"
            raise ProviderUnusable(message)
        return found


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: a code or a secret must not reach another host."""

    def redirect_request(self, *_: Any, **__: Any) -> None:  # noqa: ANN401 - urllib's
        """Return None, which makes it an error."""


def _key_of(token: str, keys: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a key of any kind
    """Return the provider's key that a token names, or its only one; raises PyJWTError."""
    named = jwt.get_unverified_header(token).get("kid")
    known = jwt.PyJWKSet.from_dict(dict(keys)).keys
    signing = [each for each in known if each.public_key_use in {None, "sig"}]
    found = [each for each in signing if named is None or each.key_id == named]
    if len(found) != 1:
        raise jwt.InvalidKeyError
    return found[0].key
