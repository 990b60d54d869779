"""What `helm test` runs: whether every process is ready, and the edge refuses what is unsigned.

Takes the address of each management port, and the edge's by `--edge`. It needs no secret and
stores nothing: the request goes to an endpoint that does not exist.
"""

import ssl
import sys
import urllib.error
import urllib.request
from http import HTTPStatus

EDGE = "--edge="
UNKNOWN = "/webhooks/this-endpoint-does-not-exist"
SECONDS = 10


def main(arguments: list[str]) -> int:
    """Check every address, print a line for each, and return 1 if one is wrong."""
    results = [check(argument) for argument in arguments]
    for good, line in results:
        sys.stdout.write(f"{'ok  ' if good else 'FAIL'} {line}\n")
    return 0 if results and all(good for good, _ in results) else 1


def check(argument: str) -> tuple[bool, str]:
    """Check one address: the edge's own, or one of a management port."""
    if argument.startswith(EDGE):
        url = argument.removeprefix(EDGE) + UNKNOWN
        status, text = ask(url, b"{}")
        right = status == HTTPStatus.NOT_FOUND
        return right, f"{url} answers {status}, where 404 is right: {text}"
    url = f"{argument}/readyz"
    status, text = ask(url)
    return status == HTTPStatus.OK, f"{url} answers {status}: {text}"


def ask(url: str, body: bytes | None = None) -> tuple[int, str]:
    """Return status and text of an answer; 0 and the reason if there is none."""
    # The certificate names the public host, and this asks by the name of the Service.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, body, timeout=SECONDS, context=context) as answer:  # noqa: S310 - http
            return answer.status, answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode().strip()
    except OSError as error:
        return 0, str(error)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
