"""Output of `payrouter notifications`, as tables and as JSON, and its errors."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from click.testing import Result
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from consumers.notifications.options import NotificationOptions
from consumers.notifications.service import SERVICE
from consumers.notifications.tables import SCHEMA
from consumers.runtime.commands.actions.held_admin import Operation, list_operations
from consumers.runtime.settings import ConsumerSettings, Tuning
from consumers.runtime.store.tables import RuntimeTables
from router.contract.topics import Topics
from tests.parts.connections import connection_to
from tests.parts.notifications.desk import EMAIL, applied, messages, options, rule, run, told
from tests.parts.notifications.receivers import hook, post_office
from tests.parts.notifications.sending import dispatcher, drained
from tests.parts.runtime.own_commands import run_own

SECRET = "hunter2hunter2"
RULES = options(
    [rule("payment.*", "on-call", "hook"), rule(["payment.*", "payout.*"], "customer", "mail")]
)
Asked = Callable[..., Result]


def ask(url: str, *arguments: str, chosen: NotificationOptions = RULES) -> Result:
    settings = ConsumerSettings(
        SERVICE.name, connection_to(), SecretStr(url), Topics(), Tuning(), options=chosen
    )
    return run_own(SERVICE, settings, arguments, env={"COLUMNS": "80"})


async def in_database(url: str, act: Callable[[AsyncEngine], Any]) -> Any:  # noqa: ANN401
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        return await act(engine)
    finally:
        await engine.dispose()


async def three_messages(desk: AsyncEngine) -> None:
    """Create a sent message, a failed one, and one that waits for an address."""
    await applied(desk, RULES, told("payment.confirmed"))
    await applied(desk, options([rule("payment.*", "on-call", "hook")]), told("payment.refunded"))
    async with hook(200, 422) as receiver:
        await drained(desk, dispatcher(receiver.url, at_once=1))


@pytest.fixture
def told_of(desk_url: str) -> str:
    """Return the URL of a database with three messages."""
    asyncio.run(in_database(desk_url, three_messages))
    return desk_url


def listed(url: str, *arguments: str) -> Sequence[Any]:
    result = ask(url, "list", "--json", *arguments)
    assert result.exit_code == 0, result.output
    found: Sequence[Any] = json.loads(result.stdout)
    return found


def by_state(url: str, state: str) -> Any:  # noqa: ANN401 - JSON
    (found,) = listed(url, "--state", state)
    return found


def test_a_json_list_has_every_message(told_of: str) -> None:
    found = listed(told_of)
    assert [(each["kind"], each["channel"]) for each in found][-1] == ("payment.refunded", "hook")
    assert {each["state"] for each in found} == {"sent", "failed", "pending"}
    assert {each["order"] for each in found} == {"A-1"}
    assert len(listed(told_of, "--limit", "2")) == 2


def test_a_list_can_be_filtered(told_of: str) -> None:
    failed = by_state(told_of, "failed")
    assert failed["last_error"] == "HTTP 422"
    assert [each["id"] for each in listed(told_of, "--event", failed["event_id"])] == [failed["id"]]
    assert len(listed(told_of, "--order", "A-1")) == 3
    assert len(listed(told_of, "--order", "8210003616")) == 3
    assert listed(told_of, "--order", "A-2") == []


def test_a_list_without_json_fits_a_terminal(told_of: str) -> None:
    result = ask(told_of, "list")
    assert "3 messages" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert all(each["id"] in result.stdout for each in listed(told_of))
    assert "waits for an address" in " ".join(result.stdout.split())


def test_show_has_the_text_as_it_would_be_sent(told_of: str) -> None:
    sent = by_state(told_of, "sent")
    shown = json.loads(ask(told_of, "show", sent["id"], "--json").stdout)
    assert shown["subject"] == "payment.confirmed: A-1, 2000.00 USDT"
    assert "amount: 2000.00 USDT" in shown["body"]
    assert sent["id"] in ask(told_of, "show", sent["id"]).stdout


def test_a_message_is_found_by_the_beginning_of_its_id(told_of: str) -> None:
    sent = by_state(told_of, "sent")
    shown = json.loads(ask(told_of, "show", sent["id"][:11].upper(), "--json").stdout)
    assert shown["id"] == sent["id"]


def test_a_beginning_that_several_ids_have_is_refused_with_their_number(told_of: str) -> None:
    result = ask(told_of, "show", "")
    assert result.exit_code == 1
    assert "there are 3 messages with an id that begins with" in result.stderr


@pytest.mark.parametrize("text", ["8f7g", "8f7af8a8-479e-5a3e-9cd0-bd4446be73750"])
def test_text_that_begins_no_id_is_wrong_usage(told_of: str, text: str) -> None:
    result = ask(told_of, "show", text)
    assert result.exit_code == 2
    assert f"{text} is not the beginning of an id" in result.stderr


def test_show_of_an_unknown_message_exits_with_status_1(told_of: str) -> None:
    result = ask(told_of, "show", "00000000-0000-0000-0000-000000000000")
    assert result.exit_code == 1
    assert "there is no message" in result.stderr


def resent(url: str, *arguments: str) -> tuple[int, Any]:
    result = ask(url, "resend", "--json", *arguments)
    return result.exit_code, json.loads(result.stdout)


def send_all(url: str) -> tuple[Sequence[Any], list[str]]:
    async def act(desk: AsyncEngine) -> tuple[Sequence[Any], list[str]]:
        async with hook() as receiver:
            await drained(desk, dispatcher(receiver.url))
            return await messages(desk), receiver.keys

    found: tuple[Sequence[Any], list[str]] = asyncio.run(in_database(url, act))
    return found


def test_a_failed_message_is_resent_with_its_key_and_all_its_attempts(told_of: str) -> None:
    failed = by_state(told_of, "failed")
    assert resent(told_of, failed["id"]) == (0, {"resent": [failed["id"]], "left": []})
    rows, keys = send_all(told_of)
    assert keys == [failed["id"]]
    (row,) = [row for row in rows if str(row.id) == failed["id"]]
    assert (row.state, row.attempts, row.forgiven) == ("sent", 2, 1)


def test_a_sent_message_is_resent_with_a_new_key(told_of: str) -> None:
    sent = by_state(told_of, "sent")
    resent(told_of, sent["id"])
    _, keys = send_all(told_of)
    assert keys == [f"{sent['id']}-1"]


def test_all_messages_failed_since_a_time_are_resent(told_of: str) -> None:
    failed = by_state(told_of, "failed")
    assert resent(told_of, "--failed", "--since", "2999-01-01")[1]["resent"] == []
    assert resent(told_of, "--failed", "--since", "2020-01-01")[1]["resent"] == [failed["id"]]


def test_a_message_without_an_address_is_not_resent_until_the_order_has_one(
    desk_url: str,
) -> None:
    async def skipped(desk: AsyncEngine) -> None:
        await applied(desk, RULES, told("payout.confirmed"))
        await run(desk, f"UPDATE {SCHEMA}.message SET state = 'skipped', wait_until = NULL")

    asyncio.run(in_database(desk_url, skipped))
    message = by_state(desk_url, "skipped")["id"]
    assert resent(desk_url, message) == (1, {"resent": [], "left": [message]})

    async def known(desk: AsyncEngine) -> None:
        await run(desk, f"UPDATE {SCHEMA}.customer SET email = '{EMAIL}'")

    asyncio.run(in_database(desk_url, known))
    assert resent(desk_url, message)[0] == 0
    assert by_state(desk_url, "pending")["address"] == EMAIL


def test_a_pending_message_is_not_resent(told_of: str) -> None:
    pending = by_state(told_of, "pending")["id"]
    assert resent(told_of, pending) == (1, {"resent": [], "left": [pending]})


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--failed"],
        ["--since", "2020-01-01"],
        ["00000000-0000-0000-0000-000000000000", "--failed", "--since", "2020-01-01"],
    ],
)
def test_a_resend_without_messages_is_a_usage_error(told_of: str, arguments: list[str]) -> None:
    assert ask(told_of, "resend", *arguments).exit_code == 2


def test_a_resend_records_the_operator_and_the_messages(told_of: str) -> None:
    failed = by_state(told_of, "failed")["id"]
    resent(told_of, failed)

    async def operations(desk: AsyncEngine) -> Sequence[Operation]:
        async with desk.connect() as connection:
            return await list_operations(connection, RuntimeTables.of(SCHEMA))

    (done,) = asyncio.run(in_database(told_of, operations))
    who, what, detail = done.who, done.what, done.detail
    assert "@" in who
    assert what == "notifications resend"
    assert failed in detail


async def by_command(chosen: NotificationOptions, *arguments: str) -> Result:
    """Run the command in a thread, while the receiver runs here."""
    return await asyncio.to_thread(ask, "postgresql://nowhere", "test", *arguments, chosen=chosen)


async def test_a_channel_is_tested_by_a_real_message() -> None:
    async with hook() as receiver:
        chosen = options([], channels={"ops": {"url": f"{receiver.url}/{SECRET}"}})
        result = await by_command(chosen, "ops")
    assert result.exit_code == 0
    assert result.stdout.startswith("ops: sent in ")
    assert "test" in receiver.requests[0].json["title"].lower()
    assert SECRET not in result.output


async def test_a_mail_channel_is_tested_to_an_address() -> None:
    async with post_office() as office:
        chosen = options([], channels={"mail": {"url": office.url}})
        assert (await by_command(chosen, "mail")).exit_code == 2
        assert (await by_command(chosen, "mail", "--to", "a@example.com,b@c.de")).exit_code == 2
        assert (await by_command(chosen, "mail", "--to", EMAIL)).exit_code == 0
    assert [mail.recipients for mail in office.mails] == [[EMAIL]]


async def test_a_failed_test_of_a_channel_shows_the_reason_without_the_url() -> None:
    async with hook(401) as receiver:
        chosen = options([], channels={"ops": {"url": f"{receiver.url}/{SECRET}"}})
        result = await by_command(chosen, "ops")
    assert result.exit_code == 1
    assert result.stderr == "payrouter: ops: HTTP 401\n"
    assert (await by_command(chosen, "nope")).exit_code == 2
    assert (await by_command(chosen, "log")).exit_code == 0


@pytest.mark.parametrize("command", ["list", "show", "resend"])
def test_an_unreachable_database_is_reported_in_one_line_without_the_password(command: str) -> None:
    message = [] if command == "list" else ["00000000-0000-0000-0000-000000000000"]
    result = ask(f"postgresql+asyncpg://user:{SECRET}@127.0.0.1:1/books", command, *message)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert SECRET not in result.stderr
