"""The transfers of docs/ledger.md post exactly the lines shown there."""

from tests.parts.ledger.asked import asked, set_up
from tests.parts.ledger.worked_examples import transfer_example


def test_the_database_contains_the_lines_and_balances_of_the_table(ledger_url: str) -> None:
    example = transfer_example()
    assert len(example.transfers) == 4
    set_up(ledger_url, example.events)
    found = []
    for number, arguments in enumerate(example.transfers, start=1):
        done = asked(ledger_url, "transfer", *arguments, "--yes")
        (posted,) = asked(ledger_url, "statement", "--limit", "1")["transactions"]
        assert posted["transfer"]["id"] == done["transfer"]
        after = {each["account"]: each["after"] for each in done["balances"]}
        found += [
            (
                str(number),
                line["account"],
                line["network"] or "",
                line["currency"],
                line["amount"],
                after[line["account"]],
            )
            for line in posted["postings"]
        ]
    assert found == example.rows
    assert asked(ledger_url, "verify")["good"]
    balances = {
        (each["account"], each["currency"]): each["balance"]
        for each in asked(ledger_url, "balance")["accounts"]
    }
    last = {(account, currency): balance for _, account, _, currency, _, balance in example.rows}
    assert last.items() <= balances.items()
