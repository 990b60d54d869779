"""Compares the topics with their needs, at the start and then every minute.

A difference that endangers a genuine event makes the process not ready. If a broker does not show a
topic's configuration, the topic counts as fine unless `require_check` is set; probe, metric and log
report that it was not compared. The rights that the process needs are compared in the same way.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry

from router.background import in_background
from router.broker.adapter.bootstrap import cause_of
from router.broker.rights import Right, denied
from router.broker.topics.contract import Difference, TopicFound, TopicNeed, compare
from router.broker.topics.listing import (
    NOT_SUPPORTED,
    MakeAdmin,
    describe_topics,
    lacking_rights,
)
from router.telemetry.declaring import MetricDeclarations
from router.telemetry.logs import Log
from router.telemetry.management import Health

RETRY_SECONDS = 5.0
"""Interval between checks while something is wrong, so that a fix is noticed soon."""

CONFIRM_SECONDS = 1.0
"""A broker may learn of a change later than others, so a new problem is checked twice."""

ANSWER_SECONDS = 10.0

REQUEST_MILLISECONDS = 4000
"""Request time-out of a watch's admin client, enforced by aiokafka: see `_end_check`."""

STOP_SECONDS = 5.0
"""How long a running check may take when the process stops."""

MISSED_CHECKS = 3
"""After this many intervals without an answer, all topics count as not compared."""


_SILENT = "the broker has not answered when asked for its configuration"


class TopicMetrics:
    """Metrics of the comparison."""

    def __init__(self, registry: CollectorRegistry, topics: Sequence[str]) -> None:
        """Declare the metrics, with a series for each topic."""
        declare = MetricDeclarations(registry)
        self._endangered = declare.gauge(
            "payrouter_topic_endangered",
            "1 while the topic differs from its needs so that a genuine event could be lost;"
            " `payrouter topics apply --check` names the difference",
            "topic",
        )
        self._unchecked = declare.gauge(
            "payrouter_topics_unchecked",
            "Topics whose configuration the broker does not show, so that it cannot be compared",
        )
        self._topics = topics
        for topic in topics:
            self._endangered.labels(topic)

    def show(self, endangered: Mapping[str, object], unchecked: Mapping[str, object]) -> None:
        """Set the metrics."""
        for topic in self._topics:
            self._endangered.labels(topic).set(topic in endangered)
        self._unchecked.set(len(unchecked))


@dataclass(frozen=True)
class Findings:
    """Result of a comparison.

    By topic: the first danger, and why a topic was not compared. `lacking` are missing rights.
    """

    endangered: Mapping[str, Difference] = field(default_factory=dict)
    unchecked: Mapping[str, str] = field(default_factory=dict)
    lacking: Collection[Right] = ()

    @property
    def well(self) -> bool:
        """Whether every topic was compared, and no difference endangers an event."""
        return not self.endangered and not self.unchecked

    @property
    def prevented(self) -> Sequence[Right]:
        """The missing rights without which the process cannot do its work."""
        return [each for each in self.lacking if each.required]


@dataclass
class TopicWatch:
    """Checks the topics until it is stopped, and keeps the latest result.

    `make` makes an admin client for each check, with REQUEST_MILLISECONDS. With
    `require_check`, no event is acknowledged on a topic that cannot be compared.
    """

    make: MakeAdmin = field(repr=False)
    needs: Sequence[TopicNeed]
    metrics: TopicMetrics
    log: Log
    interval_seconds: float = 60.0
    require_check: bool = False
    rights: Sequence[Right] = ()
    retry_seconds: float = RETRY_SECONDS
    clock: Callable[[], float] = time.monotonic
    findings: Findings | None = None
    """None until the broker has answered once."""
    found: Mapping[str, TopicFound] = field(default_factory=dict)
    """The topics as of the last check."""
    unanswered: int = 0
    """Consecutive checks without an answer of the broker."""
    _answered_at: float = 0.0
    _silence: str = ""
    """Reason why the last failed check failed, for people."""
    _checking: asyncio.Task[Findings | None] | None = None

    def number(self, topic: str, config: str) -> int | None:
        """Return a topic's configuration value as of the last check; None if it is unknown."""
        found = self.found.get(topic)
        text = ((found and found.configs) or {}).get(config, "")
        return int(text) if text.isdigit() else None

    def problem(self, topic: str) -> str | None:
        """Return why no event may be acknowledged on this topic; None if events may be."""
        findings = self.findings
        if findings is None:
            return f"the topics were not compared yet{self._silence}"
        difference = findings.endangered.get(topic)
        if difference is not None and difference.loses:
            return str(difference)
        if self.require_check and topic in findings.unchecked:
            return f"topic {topic}: {findings.unchecked[topic]}, and topics.require_check is set"
        return None

    def _problems(self) -> list[str]:
        """Return the reasons why this process is not ready: events could be lost or refused."""
        endangered = self.findings.endangered if self.findings else {}
        problems = []
        for need in self.needs:
            found = endangered.get(need.name)
            why = self.problem(need.name) or (str(found) if found else None)
            problems += [why] if why else []
        return [*problems, *denied(self.findings.prevented if self.findings else ())]

    def health(self, other: Health) -> Health:
        """Combine the result with the health of another part; the detail has the first problem."""
        problems = self._problems()
        if problems and (other.good or self.findings):
            more = len(set(problems)) - 1
            first = problems[0] + (f" (and {more} more)" if more else "")
            detail = first if other.good else f"{other.detail}\n{first}"
            return Health(good=False, detail=detail)
        if not other.good:
            return other
        return Health(
            good=True, detail="\n".join([other.detail + self._unchecked(), *self._unable()])
        )

    def _unchecked(self) -> str:
        unchecked = self.findings.unchecked if self.findings else {}
        if not unchecked:
            return ""
        names, why = ", ".join(unchecked), next(iter(unchecked.values()))
        return f"; not compared: {names} ({why})"

    def _unable(self) -> Sequence[str]:
        """Return the missing rights without which something less than the work fails."""
        return denied(self.findings.lacking) if self.findings else ()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Check the topics while the block runs."""
        if not self.needs:
            yield
            return
        async with in_background(self._run()):
            try:
                yield
            finally:
                await self._end_check()

    async def _end_check(self) -> None:
        """Wait for a running check: cancelled while connecting, aiokafka leaks the connection."""
        checking, self._checking = self._checking, None
        if checking is not None:
            await asyncio.wait({checking}, timeout=STOP_SECONDS)
            checking.cancel()
            # It closes its client before anything else ends.
            await asyncio.wait({checking}, timeout=STOP_SECONDS)

    async def _run(self) -> None:
        self._answered_at = self.clock()
        while True:
            findings = await self._confirmed()
            if findings is None:
                self._no_answer()
            else:
                self.unanswered = 0
                self._answered_at = self.clock()
                self._judge(findings)
            well = findings is not None and not (findings.endangered or findings.prevented)
            await asyncio.sleep(self.interval_seconds if well else self.retry_seconds)

    async def _confirmed(self) -> Findings | None:
        """Check, and check again if there is a new danger."""
        found = await self._checked()
        before = self.findings
        if found is None or before is None or found.endangered.keys() <= before.endangered.keys():
            return found
        await asyncio.sleep(min(CONFIRM_SECONDS, self.retry_seconds))
        return await self._checked()

    async def _checked(self) -> Findings | None:
        self._checking = asyncio.create_task(self._check())
        return await asyncio.shield(self._checking)

    async def _check(self) -> Findings | None:
        """Compare the topics with their needs; None if the broker does not answer."""
        admin = self.make()
        try:
            await admin.start()
            found = await describe_topics(admin, self.needs, ANSWER_SECONDS)
            lacking = await lacking_rights(admin, self.rights, ANSWER_SECONDS)
        except (KafkaError, TimeoutError, OSError) as error:
            self._silence = f": the broker did not answer ({cause_of(error)})"
            return None
        except Exception:
            # Our own bug. Earlier findings must expire, so the next check still has to run.
            self.log.exception("topics_not_compared")
            return None
        finally:
            await admin.close()
        return self._found(found, lacking)

    def _found(self, found: Mapping[str, TopicFound], lacking: Collection[Right]) -> Findings:
        self.found = found
        endangered: dict[str, Difference] = {}
        for difference in compare(self.needs, found):
            known = endangered.get(difference.topic)
            if difference.endangers and not (known and known.loses):
                endangered[difference.topic] = difference
        unchecked = {name: topic.unchecked for name, topic in found.items() if topic.unchecked}
        return Findings(endangered, unchecked, lacking)

    def _no_answer(self) -> None:
        """Count all topics as not compared if the broker has not answered for long."""
        self.unanswered += 1
        silent = self.clock() - self._answered_at
        if silent <= self.interval_seconds * MISSED_CHECKS:
            return
        unchecked = dict.fromkeys([need.name for need in self.needs], _SILENT)
        if self.findings is None:
            # Never compared: no event is acknowledged, even if no check is required.
            self.metrics.show({}, unchecked)
        else:
            self._judge(replace(self.findings, unchecked=unchecked))

    def _judge(self, findings: Findings) -> None:
        before, self.findings = self.findings or Findings(), findings
        self.metrics.show(findings.endangered, findings.unchecked)
        if findings.endangered and findings.endangered != before.endangered:
            details = [str(each) for each in findings.endangered.values()]
            self.log.error("topics_endangered", detail="; ".join(details))
        if findings.unchecked and findings.unchecked != before.unchecked:
            why = next(iter(findings.unchecked.values()))
            # An operator can grant a missing right, but cannot change what a broker supports.
            self.log.log(
                logging.INFO if NOT_SUPPORTED in why else logging.WARNING,
                "topics_unchecked",
                topics=list(findings.unchecked),
                detail=why,
            )
        if findings.well and not before.well:
            self.log.info("topics_sound")
        self._log_rights(findings, before)

    def _log_rights(self, findings: Findings, before: Findings) -> None:
        if findings.lacking == before.lacking:
            return
        if findings.lacking:
            self.log.log(
                logging.ERROR if findings.prevented else logging.WARNING,
                "rights_missing",
                detail="; ".join(denied(findings.lacking)),
            )
        else:
            self.log.info("rights_granted")
