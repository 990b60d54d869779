"""Recognition of test networks."""

import pytest

from router.providers._chains import is_live_name, is_test_name, on_test_chain


@pytest.mark.parametrize(
    ("chain_id", "network", "told"),
    [
        ("11155111", "Ethereum", True),
        ("5", "Ethereum", True),
        ("97", "BSC", True),
        ("80002", None, True),
        ("3448148188", "TRON", True),
        ("2494104990", "TRON", True),
        ("1", "Ethereum", False),
        ("56", "BSC", False),
        ("728126428", "TRON", False),
        # A sample of the vendor has Goerli's id with TRON.
        ("5", "TRON", None),
        ("1", "TRON", None),
        ("728126428", "Ethereum", None),
        ("42", "Ethereum", None),
        ("999999", None, None),
        (None, "Ethereum", None),
        (None, None, None),
        (None, "Sepolia", True),
        ("1", "Sepolia", True),
        # Other spellings of an id: hexadecimal, padded, CAIP-2.
        ("0xaa36a7", "Ethereum", True),
        ("0xAA36A7", None, True),
        ("0x1", "Ethereum", False),
        ("011155111", None, True),
        ("eip155:11155111", None, True),
        ("eip155:1", None, False),
        ("0x", None, None),
        ("solana:5", None, None),
        # Other spellings of TRON.
        ("3448148188", "Tron Network", True),
        ("5", "Tron Network", None),
    ],
)
def test_chain_id_and_name_decide_test_money_or_nothing(
    chain_id: str | None, network: str | None, told: object
) -> None:
    assert on_test_chain(chain_id, network) is told


@pytest.mark.parametrize(
    "name",
    ["Sepolia", "base-sepolia", "bscTestnet", "Polygon Amoy", "TRON (Nile)", "FUJI", "testnet4"],
)
def test_test_network_is_recognized_by_its_name(name: str) -> None:
    assert is_test_name(name)
    assert not is_live_name(name)


@pytest.mark.parametrize("name", ["Ethereum", "TRON", "bitcoin", "Juvenile", "Amoya", "Nilex"])
def test_other_names_are_not_test_networks(name: str) -> None:
    assert not is_test_name(name)
