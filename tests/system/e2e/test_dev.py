"""From an empty folder to a ledger entry that survives a restart, with `payrouter dev`."""

import json
import os
import re
import stat
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from router.evaluation.system import probe
from tests.parts.dev_process import Place, Said, alive, free_port, place_in, started
from tests.parts.waiting import until

SPOILED = ("body", "key", "headers", "time")
CONSUMERS = ("inventory", "ledger", "notifications")

WITHOUT_DEV: tuple[tuple[str, ...], ...] = (
    ("send", "blockatm"),
    ("ledger", "balance"),
    ("offsets", "show"),
    ("topics", "apply"),
)


@dataclass(frozen=True)
class FirstRun:
    """Results of the first run."""

    screen: str
    log: list[dict[str, Any]]
    refused: dict[str, Said]
    sent: Said
    balance: Any
    statement: Any
    trace: Any
    offsets: Any
    shown: Said
    second: Said
    told: Any
    exported: str
    status: int
    left: list[str]
    said: str


@dataclass(frozen=True)
class SecondRun:
    """Results of a second run on the data of the first."""

    before: Any
    balance: Any
    fences: Any
    shown: Said


@dataclass(frozen=True)
class Story:
    """The results of both runs, shared by all tests of this module."""

    place: Place
    first: FirstRun
    modes: dict[str, int]
    files: set[str]
    without: dict[tuple[str, ...], Said]
    second: SecondRun

    @property
    def printed(self) -> str:
        """The output of all commands."""
        return "\n".join(self.place.printed)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Start, send, read the results, stop, start again, send again."""
    with place_in(tmp_path_factory.mktemp("story")) as place:
        first = _first(place)
        paths = [place.data_dir, place.data_dir / "payrouter.toml", place.data_dir / "lock"]
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in paths}
        files = {path.name for path in place.data_dir.iterdir()}
        nowhere = _nowhere()
        without = {command: place.run(*command, **nowhere) for command in WITHOUT_DEV}
        yield Story(place, first, modes, files, without, _second(place))


def _nowhere() -> dict[str, str]:
    # The default ports may be in use by the developer's own servers.
    return {
        "PAYROUTER_EDGE__PORT": str(free_port()),
        "PAYROUTER_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
    }


def _first(place: Place) -> FirstRun:
    with started(place) as dev:
        dev.until_ready()
        refused = {
            how: place.quick("send", "blockatm", "--order", "T-1", "--tamper", how)
            for how in SPOILED
        }
        sent = place.run(*_sending("A-1"))
        balance = place.books(transactions=1)
        statement = place.json("ledger", "statement", "--order", "A-1")
        trace = place.json("trace", "A-1")
        offsets = place.json("offsets", "show")
        shown = place.quick("offsets", "show")
        place.quick("config", "show")
        second = place.run("dev", "--port", str(free_port()))
        message = until(lambda: _sent(place), "a message sent")
        exported = until(lambda: _exported(place), "nothing in flight")
        tree = dev.tree()
        status = dev.stop()
        told = (refused, sent, balance, statement, trace, offsets, shown, second, message, exported)
        return FirstRun(dev.out, dev.log, *told, status, alive(tree), dev.err)


def _sent(place: Place) -> Any:  # noqa: ANN401 - JSON
    found = place.json("notifications", "list", "--order", "A-1", "--state", "sent")
    return found[0] if found else None


def _exported(place: Place) -> str | None:
    ports = json.loads((place.data_dir / "running.json").read_text())["ports"]
    good, text = probe(f"http://127.0.0.1:{ports['exporter']['management_port']}/metrics")
    nothing = 'payrouter_group_in_flight_records{consumer="ledger",topic="payment"} 0.0'
    # Nothing is in flight before the payment either: a round must have seen it in every consumer.
    return text if good and nothing in text and len(_applied(text)) == len(CONSUMERS) else None


def _applied(text: str) -> list[tuple[str, float]]:
    families = text_string_to_metric_families(text)
    samples = [s for f in families for s in f.samples if s.labels.get("topic") == "payment"]
    return [
        (sample.labels["consumer"], sample.value)
        for sample in samples
        if sample.labels.get("outcome") == "applied" and sample.value
    ]


def _second(place: Place) -> SecondRun:
    with started(place) as dev:
        dev.until_ready()
        before = place.json("ledger", "balance")
        place.quick(*_sending("A-2"))
        balance = place.books(transactions=2)
        fences, shown = place.json("offsets", "show"), place.quick("offsets", "show")
        assert dev.stop() == 0
        return SecondRun(before, balance, fences, shown)


def _sending(order: str) -> tuple[str, ...]:
    return ("send", "blockatm", "--order", order, "--amount", "100.50", "--currency", "USDT")


def test_the_screen_shows_addresses_and_example_commands(story: Story) -> None:
    screen = story.first.screen
    metrics = ("metrics edge", "metrics ledger", "metrics exporter", "metrics console")
    assert re.search(r"payrouter dev\s[^\w]*console\W+http://127\.0\.0\.1:\d+", screen)
    for word in ("configuration", "broker", "database", "webhook blockatm", *metrics):
        assert word in screen
    assert re.search(r"http://127\.0\.0\.1:\d+/webhooks/blockatm", screen)
    where = f"--data-dir {story.place.data_dir}"
    assert f"send blockatm --order A-1 --amount 100.50 --currency USDT {where}\n" in screen
    assert screen.rstrip().rpartition("\n")[2].startswith("ready http://127.0.0.1:")


def test_send_prints_the_delivery_and_the_response(story: Story) -> None:
    sent = story.first.sent
    assert sent.returncode == 0
    assert sent.stdout == "sent payment.confirmed A-1 100.50 USDT to blockatm, answered 200 OK\n"
    assert sent.stderr == ""


def test_the_balance_has_exactly_the_documented_shape(story: Story) -> None:
    wallet = "demo-shop:blockatm:wallet:Ethereum"
    assert story.first.balance == {
        "balanced": True,
        "transactions": 1,
        "accounts": [
            {
                "account": account,
                "currency": "USDT",
                "balance": balance,
                "networks": [{"network": "Ethereum", "balance": balance}],
            }
            for account, balance in (
                ("demo-shop:blockatm:payments", "-100.50"),
                (wallet, "100.50"),
            )
        ],
    }


def test_a_trace_leads_from_the_delivery_to_the_books(story: Story) -> None:
    trace = story.first.trace
    assert {"deliveries", "events", "books"} <= {line["group"] for line in trace["lines"]}
    (posted,) = [line for line in trace["lines"] if line["what"] == "posted"]
    assert posted["facts"]["transaction"] == "1"
    assert trace["notes"] == []


def test_the_statement_shows_the_one_transaction_of_the_order(story: Story) -> None:
    (transaction,) = story.first.statement["transactions"]
    assert transaction["type"] == "payment.confirmed"
    assert transaction["reference"] == "A-1"
    assert sorted(p["amount"] for p in transaction["postings"]) == ["-100.50", "100.50"]


def test_the_offsets_count_one_applied_record(story: Story) -> None:
    fences = story.first.offsets["ledger"]
    assert sum(fence["applied"] for fence in fences) == 1
    assert {fence["topic"] for fence in fences} == {"payment", "payout"}
    assert "state" in story.first.shown.stdout
    assert re.search(r"payment-\d ", story.first.shown.stdout)


def test_without_a_channel_the_customers_message_is_one_log_line(
    story: Story,
) -> None:
    told = story.first.told
    facts = (told["kind"], told["recipient"], told["channel"], told["state"])
    assert facts == ("payment.confirmed", "customer", "log", "sent")
    lines = [line for line in story.first.log if line.get("message_id") == told["id"]]
    assert [line["state"] for line in lines] == ["sent"]


@pytest.mark.parametrize("how", SPOILED)
def test_a_spoiled_delivery_is_refused(story: Story, how: str) -> None:
    said = story.first.refused[how]
    assert said.returncode == 0
    assert f"with tampered {how} to blockatm, answered 401" in said.stdout
    assert "refused, as expected" in said.stdout


def test_each_refusal_has_its_line_and_its_reason_in_the_log(story: Story) -> None:
    refused = [line for line in story.first.log if line.get("outcome") == "refused"]
    reasons = [line["reason"] for line in refused]
    assert reasons == ["signature_wrong", "signature_wrong", "signature_missing", "stale"]


def test_each_log_line_names_its_component(story: Story) -> None:
    parts = {line.get("component", line.get("logger")) for line in story.first.log}
    assert {"edge", "ledger"} <= parts
    assert None not in parts


def test_a_second_dev_on_the_same_data_directory_is_refused_in_one_line(story: Story) -> None:
    second = story.first.second
    assert second.returncode == 2
    assert second.stdout == ""
    assert second.stderr.startswith(
        f"payrouter: --data-dir: dev already runs on {story.place.data_dir}"
    )
    assert second.stderr.count("\n") == 1


def test_the_exporter_counts_the_payment_in_every_consumer(story: Story) -> None:
    assert _applied(story.first.exported) == [(name, 1) for name in CONSUMERS]
    assert re.search(r"^exporter +ready$", story.first.said, re.MULTILINE)


def test_an_interrupt_stops_everything_and_leaves_no_process(story: Story) -> None:
    assert story.first.status == 0
    assert story.first.left == []
    assert "running.json" not in story.files


def test_data_directory_and_secrets_are_private_to_the_owner(story: Story) -> None:
    assert story.modes["payrouter.toml"] == 0o600
    # Started by root, the database runs as another user, who must be able to enter the folder.
    passing = 0o011 if os.geteuid() == 0 else 0
    assert story.modes["data"] & ~passing == 0o700


@pytest.mark.parametrize("command", WITHOUT_DEV, ids=" ".join)
def test_without_a_running_dev_a_command_fails_in_one_line(
    story: Story, command: tuple[str, ...]
) -> None:
    said = story.without[command]
    assert said.returncode in {1, 2}
    assert said.stdout == ""
    assert said.stderr.startswith("payrouter: ")
    assert said.stderr.count("\n") == 1


def test_the_books_contain_both_payments_after_a_restart(story: Story) -> None:
    assert story.second.before == story.first.balance
    assert story.second.balance["balanced"]
    assert story.second.balance["transactions"] == 2
    assert [a["balance"] for a in story.second.balance["accounts"]] == ["-201.00", "201.00"]


def test_only_the_last_consumed_cluster_is_shown_without_all(story: Story) -> None:
    fences = story.second.fences["ledger"]
    first, second = dict.fromkeys(fence["cluster_id"] for fence in fences)
    newest = max(fences, key=lambda fence: str(fence["updated_at"]))["cluster_id"]
    assert newest in story.second.shown.stdout
    assert ({first, second} - {newest}).isdisjoint(story.second.shown.stdout.split())
    assert "--all" in story.second.shown.stdout


def test_no_secret_is_ever_printed(story: Story) -> None:
    text = (story.place.data_dir / "payrouter.toml").read_text()
    endpoints = tomllib.loads(text)["endpoints"].values()
    secrets = [secret for endpoint in endpoints for secret in endpoint["secrets"]]
    assert all(len(secret) > 30 for secret in secrets)
    assert [secret for secret in secrets if secret in story.printed] == []


def test_nothing_printed_is_a_traceback(story: Story) -> None:
    assert "Traceback" not in story.printed
    assert json.dumps(story.first.balance) in story.printed


def test_only_the_data_directory_is_created(story: Story) -> None:
    made = {path.name for path in Path(story.place.folder).iterdir()}
    assert {name for name in made if not name.startswith("dev-")} == {"data"}
