"""`payrouter endpoint url`: what is pasted into a gateway."""

from pathlib import Path

import pytest

from tests.parts.edge.edge_command import Command, command, configured
from tests.parts.providers.blockbee_deliveries import TOKEN

_SHOP = '[endpoints.shop]\nprovider = "blockatm"\nsecrets = ["x"]\n'
_BEE = f'[endpoints.bee]\nprovider = "blockbee"\ntoken = "{TOKEN}"\nsecrets = ["y"]\n'
_EDGE = '[edge]\npublic_url = "https://pay.example/"\n'


@pytest.fixture
def payrouter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return a function that runs a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return command(monkeypatch, capsys)


def test_the_url_is_whole(payrouter: Command) -> None:
    configured(_EDGE + _SHOP + _BEE + 'public_url = "https://bee.example/in"\n')

    assert payrouter("endpoint", "url", "shop").out == "https://pay.example/webhooks/shop\n"
    assert payrouter("endpoint", "url", "bee").out == (
        f"https://bee.example/in/webhooks/bee/{TOKEN}\n"
    )


def test_of_an_order_it_carries_number_and_code(payrouter: Command) -> None:
    configured(_EDGE + _BEE)

    said = payrouter("endpoint", "url", "bee", "--order", "A 1")

    assert said.out.startswith(
        f"https://pay.example/webhooks/bee/{TOKEN}?order_id=A+1&order_id_mac="
    )


def test_it_carries_parameters_of_the_merchant_s_own(payrouter: Command) -> None:
    configured(_EDGE + _BEE)

    bare = payrouter("endpoint", "url", "bee", "--parameter", "user=ann & bob")
    both = payrouter("endpoint", "url", "bee", "--order", "A", "--parameter", "x=1")

    assert bare.out.endswith(f"/webhooks/bee/{TOKEN}?user=ann+%26+bob\n")
    assert both.out.endswith("&x=1\n")
    assert f"/webhooks/bee/{TOKEN}?order_id=A&order_id_mac=" in both.out


@pytest.mark.parametrize(
    "name", ["coin", "uuid", "value_coin", "price", "value", "order_id", "order_id_mac"]
)
def test_a_parameter_named_like_one_of_the_gateway_s_is_refused(
    payrouter: Command, name: str
) -> None:
    configured(_EDGE + _BEE)

    said = payrouter("endpoint", "url", "bee", "--order", "A", "--parameter", f"{name}=1")

    assert (said.status, said.out) == (2, "")
    assert said.err.startswith(f"payrouter: --parameter: the gateway uses the name {name} itself")


@pytest.mark.parametrize(
    ("text", "arguments", "line"),
    [
        (_EDGE + _BEE, ("bee", "--parameter", "x"), "--parameter: expected NAME=VALUE, not x"),
        (_EDGE + _SHOP, ("shop", "--parameter", "x=1"), "--parameter: blockatm sends the order"),
        (
            _EDGE + _BEE + 'public_url = "https://bee.example/in?coin=btc"\n',
            ("bee",),
            "endpoints.bee.public_url: expected https://host",
        ),
        (
            _EDGE + _BEE + 'reference_parameter = "value_forwarded_coin"\n',
            ("bee",),
            "endpoints.bee.reference_parameter: this name is one of BlockBee's own fields",
        ),
        (_EDGE + _SHOP, ("other",), "there is no endpoint other; there are shop"),
        (_EDGE, ("other",), "there is no endpoint other; is `payrouter dev` running here?"),
        (_SHOP, ("shop",), "endpoints.shop.public_url: missing, here and under edge"),
        (_EDGE + _SHOP, ("shop", "--order", "A"), "--order: blockatm sends the order itself"),
        (
            _EDGE + _BEE.replace('secrets = ["y"]\n', ""),
            ("bee", "--order", "A"),
            "endpoints.bee.secrets: needed to sign the order's number",
        ),
        (_BEE, ("bee",), "endpoints.bee.public_url: required here or under [edge]"),
        (
            _EDGE + _BEE.replace(f'token = "{TOKEN}"\n', ""),
            ("bee",),
            "endpoints.bee.token: required, since BlockBee signs",
        ),
    ],
)
def test_what_is_missing_is_one_line(
    payrouter: Command, text: str, arguments: tuple[str, ...], line: str
) -> None:
    configured(text)

    said = payrouter("endpoint", "url", *arguments)

    assert (said.status, said.out) == (2, "")
    assert said.err.startswith(f"payrouter: {line}")
