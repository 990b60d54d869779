"""How the chart scales, spreads and stops its processes, and who may reach them."""

from typing import Final

import pytest

from consumers.discovery import discover
from tests.parts.chart.rendered import CASES, Rendered, edge_of, of_kind, pod_of, the, variables

SCALED: Final = ("large", "plain", "certificates")


def _partitions(case: str) -> int:
    (container,) = pod_of(edge_of(case))["containers"]
    return int(variables(container)["PAYROUTER_TOPICS__PARTITIONS"])


@pytest.mark.parametrize("case", CASES)
def test_a_consumer_has_no_more_processes_than_partitions(case: str) -> None:
    for each in of_kind(case, "StatefulSet").values():
        if each != edge_of(case):
            assert each["spec"].get("replicas", 1) <= _partitions(case)
    for each in of_kind(case, "ScaledObject").values():
        assert 1 <= each["spec"]["minReplicaCount"] <= each["spec"]["maxReplicaCount"]
        assert each["spec"]["maxReplicaCount"] <= _partitions(case)


@pytest.mark.parametrize("case", SCALED)
def test_what_scales_a_workload_sets_its_replicas_alone(case: str) -> None:
    scaled = [
        (each["spec"]["scaleTargetRef"]["kind"], each["spec"]["scaleTargetRef"]["name"])
        for each in of_kind(case, "ScaledObject", "HorizontalPodAutoscaler").values()
    ]

    assert len(scaled) == len(of_kind(case, "StatefulSet")) + 1
    for kind, name in scaled:
        assert "replicas" not in of_kind(case, kind)[name]["spec"], name


@pytest.mark.parametrize("case", SCALED)
def test_a_consumer_scales_by_its_group_on_the_topics_that_it_reads(case: str) -> None:
    services = discover()
    for name, service in services.items():
        found = [
            o
            for o in of_kind(case, "ScaledObject").values()
            if o["metadata"]["name"].endswith(name)
        ]
        for each in found:
            triggers = [trigger["metadata"] for trigger in each["spec"]["triggers"]]
            assert {trigger["consumerGroup"] for trigger in triggers} == {f"payrouter.{name}"}
            assert len(triggers) == len(service.topics)


@pytest.mark.parametrize("case", SCALED)
def test_a_consumer_scales_down_slowly_and_not_because_of_a_partition_that_halts(case: str) -> None:
    for each in of_kind(case, "ScaledObject").values():
        behavior = each["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 300
        assert [policy["value"] for policy in behavior["scaleDown"]["policies"]] == [1]
        assert each["spec"]["fallback"]["behavior"] == "currentReplicasIfHigher"
        for trigger in each["spec"]["triggers"]:
            assert trigger["metadata"]["excludePersistentLag"] == "true"


def test_the_scaler_signs_in_as_the_consumer() -> None:
    for name, each in of_kind("large", "TriggerAuthentication").items():
        (container,) = pod_of(of_kind("large", "StatefulSet")[name])["containers"]
        given = {env["parameter"]: env for env in each["spec"]["env"]}
        assert given["username"]["name"] in variables(container)
        assert given["username"]["containerName"] == container["name"]
        secrets = {ref["parameter"]: ref["name"] for ref in each["spec"]["secretTargetRef"]}
        assert secrets == {"password": name, "ca": "events-cluster-ca-cert"}


@pytest.mark.parametrize("case", CASES)
def test_evictions_take_one_pod_of_a_component_at_a_time(case: str) -> None:
    budgets = of_kind(case, "PodDisruptionBudget")

    wanted = {*of_kind(case, "StatefulSet"), edge_of(case)["metadata"]["name"]}
    assert set(budgets) == wanted
    assert {budget["spec"]["maxUnavailable"] for budget in budgets.values()} == {1}


@pytest.mark.parametrize("case", CASES)
def test_pods_are_spread_over_zones_and_nodes(case: str) -> None:
    spread = {**of_kind(case, "StatefulSet"), "edge": edge_of(case)}
    for workload in spread.values():
        keys = [each["topologyKey"] for each in pod_of(workload)["topologySpreadConstraints"]]
        assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]


@pytest.mark.parametrize("case", ["small", "certificates"])
def test_gateways_come_in_by_tls_and_only_to_webhooks(case: str) -> None:
    (ingress,) = of_kind(case, "Ingress").values()

    (rule,) = ingress["spec"]["rules"]
    assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]]
    assert ingress["spec"]["tls"][0]["secretName"]
    assert [path["path"] for path in rule["http"]["paths"]] == ["/webhooks/"]
    assert _public_url(case) == f"https://{rule['host']}"


def test_a_route_is_attached_to_the_listener_with_tls_alone() -> None:
    (route,) = of_kind("large", "HTTPRoute").values()

    assert [parent["sectionName"] for parent in route["spec"]["parentRefs"]] == ["https"]
    assert [f"https://{host}" for host in route["spec"]["hostnames"]] == [_public_url("large")]
    (rule,) = route["spec"]["rules"]
    assert rule["matches"][0]["path"] == {"type": "PathPrefix", "value": "/webhooks/"}


def _public_url(case: str) -> str:
    (container,) = pod_of(edge_of(case))["containers"]
    return variables(container)["PAYROUTER_EDGE__PUBLIC_URL"]


def test_outside_of_the_cluster_an_edge_without_proxy_ends_tls_itself() -> None:
    (container,) = pod_of(the("plain", "Deployment", "edge"))["containers"]
    (public,) = [
        s for s in of_kind("plain", "Service").values() if s["spec"].get("type") == "LoadBalancer"
    ]

    assert public["spec"]["externalTrafficPolicy"] == "Local"
    assert variables(container)["PAYROUTER_EDGE__TLS_CERTIFICATE"] == "/run/secrets/tls/tls.crt"


POLICIES: Final = {
    "edge": {"kafka"},
    "exporter": {"kafka", "database"},
    "inventory": {"kafka", "database"},
    "ledger": {"kafka", "database"},
    "notifications": {"kafka", "database", "outside"},
    "topics": {"kafka"},
    "migrations": {"database"},
}


@pytest.mark.parametrize("component", POLICIES)
def test_who_needs_another_reaches_it_and_nothing_else(component: str) -> None:
    policy = the("small", "NetworkPolicy", component)["spec"]
    ports = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
    meaning = {"kafka": {9092}, "database": {5432}, "outside": {443, 465, 587}}

    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert ports == {53}.union(*(meaning[each] for each in POLICIES[component]))


@pytest.mark.parametrize("case", ["small", "large", "certificates"])
def test_every_pod_has_a_policy_and_every_port_a_rule(case: str) -> None:
    policies = {
        policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]: policy["spec"]
        for policy in of_kind(case, "NetworkPolicy").values()
    }
    for workload in of_kind(case, "Deployment", "StatefulSet", "Job").values():
        labels = workload["spec"]["template"]["metadata"]["labels"]
        policy = policies[labels["app.kubernetes.io/component"]]
        (container,) = pod_of(workload)["containers"]
        offered = {port["name"] for port in container.get("ports", [])}
        assert {
            port["port"] for rule in policy.get("ingress", []) for port in rule["ports"]
        } == offered


def test_metrics_are_for_prometheus_and_the_test_alone() -> None:
    for policy in of_kind("large", "NetworkPolicy").values():
        for rule in policy["spec"].get("ingress", []):
            if rule["ports"][0]["port"] == "management":
                assert [_peer(each) for each in rule["from"]] == ["test", "monitoring"]


def _peer(peer: Rendered) -> str:
    if "podSelector" in peer:
        component: str = peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        return component
    namespace: str = peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
    return namespace
