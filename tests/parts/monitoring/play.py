"""Script of the live run: a healthy start, then one fault after another."""

import time
from datetime import timedelta
from typing import Final

from tests.parts.edge.spool.troubled import write_troubled_spool
from tests.parts.monitoring import edge_faults, faults
from tests.parts.monitoring.course import Course
from tests.parts.monitoring.live import STEP_SECONDS, Live, configure
from tests.parts.monitoring.questions import alert_rules
from tests.parts.monitoring.system import JOBS, SECOND_EDGE
from tests.parts.monitoring.yesterday import GENUINE

DAILY: Final = 150
"""Deliveries per (sped-up) day above which a silent gateway raises an alert within two hours."""

WELL_SECONDS: Final = 5.0
HELD_SECONDS: Final = 90.0
QUIET_SECONDS: Final = 128.0
"""Sped up, the two hours after which a gateway is missed, and what the alert then waits."""

LAG: Final = "lag of the held consumer"


def play(live: Live) -> Course:
    """Run the script and return the record of the run."""
    course = Course(live.prometheus, STEP_SECONDS, alert_rules())
    quiet = _be_well(live, course)
    course.fault("PayrouterOpenTransaction")
    with faults.transaction_left_open(live.system):
        course.await_alerts("PayrouterOpenTransaction")
    course.fault(_CROWDED)
    with edge_faults.crowd(live.system):
        _fail_to_tell(live, course)
        course.await_alerts(_CROWDED)
    with faults.outbox_stuck(live.system):
        course.fault("PayrouterOutboxStuck", "PayrouterLagGrowing", "PayrouterPartitionStuck")
        course.fault("PayrouterFreshnessBudgetBurn", "PayrouterFreshnessBudgetSlowBurn")
        _hold(live, course)
    _take_away(live, course)
    course.await_until(lambda: time.monotonic() - quiet >= QUIET_SECONDS, QUIET_SECONDS)
    course.await_alerts(_MISSED)
    _be_without_broker(live, course)
    _be_without_edge_and_exporter(live, course)
    course.ended = time.time()
    return course


_CROWDED: Final = "PayrouterUnprovedBudgetFull"
_SILENT: Final = "PayrouterGatewaySilent"
_MISSED: Final = "PayrouterGatewaySilent page"


def _be_well(live: Live, course: Course) -> float:
    """Run without faults; one gateway delivers, then stops: return when it stopped."""

    def deliver() -> None:
        live.gateways.send(faults.QUIET, faults.pending("QUIET-1"))

    delivered = f'{GENUINE}:increase1d{{endpoint="{faults.QUIET}"}}'
    with faults.again_and_again(deliver, 0.05), faults.again_and_again(deliver, 0.05):
        course.await_until(lambda: max(live.prometheus.now(delivered), default=0) >= DAILY)
    quiet = time.monotonic()
    # Until its first scrape, five seconds after it has started, Prometheus misses everybody.
    course.await_until(lambda: not live.prometheus.firing())
    course.settled = time.time()
    course.fault(_SILENT)
    course.await_until(lambda: False, WELL_SECONDS)
    course.healthy = {each["labels"]["alertname"] for each in live.prometheus.firing()}
    course.up = live.prometheus.up()
    return quiet


def _fail_to_tell(live: Live, course: Course) -> None:
    course.fault("PayrouterMessagesFailing")
    faults.messages_that_cannot_be_sent(live.gateways)
    faults.message_waiting_for_long(live.system, live.gateways)
    course.await_alerts("PayrouterMessagesFailing")


def _hold(live: Live, course: Course) -> None:
    """Block the handler of the only instance of a consumer while other faults happen."""
    started = time.monotonic()
    with faults.handler_held(live.system):
        _at_the_edge(live, course)
        _in_records(live, course)
        _in_the_store(live, course)
        _brake(live, course)
        course.await_until(lambda: time.monotonic() - started >= HELD_SECONDS, HELD_SECONDS)
        lag = 'max(payrouter_group_lag_seconds{consumer="notifications"})'
        course.readings[LAG] = max(live.prometheus.now(lag), default=0.0)
        course.await_alerts("PayrouterLagGrowing", "PayrouterPartitionStuck")


def _at_the_edge(live: Live, course: Course) -> None:
    course.fault("PayrouterGatewayClockSkew", "PayrouterDeliveriesQuarantined")
    course.fault("PayrouterVerificationFailures")
    faults.unknown_event(live.gateways)
    edge_faults.unreadable_fact(live.gateways)
    with faults.wrong_clock(live.gateways), faults.wrong_key(live.gateways):
        course.await_alerts(
            "PayrouterGatewayClockSkew",
            "PayrouterDeliveriesQuarantined",
            "PayrouterVerificationFailures",
        )
    course.fault("PayrouterConfigurationRefused")
    with faults.configuration_refused(live.system):
        course.await_alerts("PayrouterConfigurationRefused")


def _in_records(live: Live, course: Course) -> None:
    course.fault("PayrouterCasesUrgent")
    faults.poison(live.gateways)
    faults.contradiction(live.gateways)
    faults.called_off(live.gateways)
    faults.unmatched(live.gateways)
    faults.oversold(live.gateways)


def _in_the_store(live: Live, course: Course) -> None:
    course.fault("PayrouterPaymentsPending", "PayrouterParkedOld", "PayrouterCasesOld")
    faults.waiting_for_long(live.system, live.gateways)
    faults.parked_for_long(live.system, live.gateways)
    faults.dead_letter_refused(live.system, live.gateways)
    course.fault("PayrouterBooksUnbalanced", "PayrouterRebalancing")
    with faults.rebalances(live.system):
        with faults.unbalanced(live.system):
            course.await_alerts("PayrouterBooksUnbalanced")
        course.await_alerts("PayrouterRebalancing")


def _brake(live: Live, course: Course) -> None:
    """Stop one consumer by its brake, and clear the brake by the command."""
    course.fault("PayrouterBrakeHeld")
    faults.poison(live.gateways, "order", 25)
    course.await_alerts("PayrouterBrakeHeld")
    said = live.system.place.run("brake", "clear", "inventory")
    assert said.returncode == 0, said.stderr


def _take_away(live: Live, course: Course) -> None:
    """Take away a consumer, halt another, and bring up an edge that cannot reach the broker."""
    course.fault("PayrouterPartitionHalted", "PayrouterGroupAbsent", "PayrouterTargetMissing")
    faults.too_new(live.gateways)
    live.system.stop("inventory")
    course.fault("PayrouterEdgeNotReady ticket", "PayrouterPublishFailing ticket")
    faults.event_refused(live.system, live.gateways)
    _start_second_edge(live, course)
    edges = {"payrouter-edge": ("edge", SECOND_EDGE)}
    configure(live.folder, live.system, {**JOBS, **edges})
    live.prometheus.reload()
    course.await_alerts(but=[_MISSED])
    course.fault("PayrouterCertificateExpiring page")
    edge_faults.write_certificate(live.folder, timedelta(days=1))
    course.await_alerts("PayrouterCertificateExpiring page")
    live.system.stop(SECOND_EDGE)
    configure(live.folder, live.system, JOBS)
    live.prometheus.reload()


def _start_second_edge(live: Live, course: Course) -> None:
    """Start an edge without a broker, with an old certificate and a spool full of problems."""
    course.fault("PayrouterCertificateExpiring ticket", "PayrouterTopicsUnchecked")
    course.fault("PayrouterSpoolWaiting", "PayrouterSpoolFull")
    course.fault("PayrouterSpoolFailing", "PayrouterSpoolAside")
    edge_faults.write_certificate(live.folder, timedelta(days=10))
    live.system.start_second_edge(
        PAYROUTER_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:9",
        **edge_faults.certificate_variables(live.folder),
        **write_troubled_spool(live.folder),
    )


def _be_without_broker(live: Live, course: Course) -> None:
    course.fault("PayrouterAvailabilityBudgetBurn", "PayrouterAvailabilityBudgetSlowBurn")
    course.fault("PayrouterPublishFailing page", "PayrouterEdgeNotReady page")
    course.fault("PayrouterTopicEndangered")
    with faults.topic_endangered(live.system):
        course.await_alerts("PayrouterTopicEndangered")
    course.fault("PayrouterExporterFailing ticket")
    with faults.broker_stopped(live.system):
        course.await_alerts()


def _be_without_edge_and_exporter(live: Live, course: Course) -> None:
    course.fault("PayrouterEdgeAbsent", "PayrouterExporterFailing ticket all")
    live.system.stop("edge")
    live.system.stop("exporter")
    course.await_alerts()
