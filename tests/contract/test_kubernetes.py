"""The Kubernetes manifests hold to Kubernetes' own schemas, and to what DESIGN says of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "deploy" / "kubernetes" / "base"
VERSION = "1.33"
SERVICES = {"ingest-smtp", "ingest-gmail", "router", "router-audit", "autoreply", "outbound", "console"}
# resources of operators: what Mailroom uses of them, as their documentation names it
CUSTOM: dict[str, set[str]] = {
    "KafkaTopic": {"topicName", "partitions", "replicas", "config"},
    "ScaledObject": {"scaleTargetRef", "minReplicaCount", "maxReplicaCount", "cooldownPeriod", "triggers"},
}


def resources() -> Iterator[tuple[str, dict[str, Any]]]:
    kustomization = yaml.safe_load((BASE / "kustomization.yaml").read_text())
    for name in kustomization["resources"]:
        for resource in yaml.load_all((BASE / name).read_text(), yaml.CSafeLoader):
            if resource:
                yield name, resource


ALL = list(resources())


@pytest.mark.parametrize(("name", "resource"), ALL, ids=[f"{n}:{r['kind']}/{r['metadata']['name']}" for n, r in ALL])
def test_each_resource_is_valid(name: str, resource: dict[str, Any]) -> None:
    if (known := CUSTOM.get(resource["kind"])) is not None:
        assert set(resource["spec"]) <= known
        assert resource["apiVersion"] in ("kafka.strimzi.io/v1beta2", "keda.sh/v1alpha1")
        return
    kubernetes_validate.validate(resource, VERSION, strict=True)


def test_every_file_is_used() -> None:
    used = {name for name, _ in ALL}
    assert {p.name for p in BASE.glob("*.yaml")} - used == {"kustomization.yaml", "secret.example.yaml"}
    for overlay in (BASE.parent / "overlays").iterdir():
        used = yaml.safe_load((overlay / "kustomization.yaml").read_text())["resources"]
        assert used[0] == "../../base"
        assert set(used[1:]) == {p.name for p in overlay.glob("*.yaml")} - {"kustomization.yaml"}


def by_kind(*kinds: str) -> dict[str, dict[str, Any]]:
    return {r["metadata"]["name"]: r for _, r in ALL if r["kind"] in kinds}


def test_every_service_runs_with_probes_and_without_privileges() -> None:
    workloads = by_kind("Deployment", "StatefulSet")
    assert set(workloads) == SERVICES
    assert set(by_kind("StatefulSet")) == {"router"}
    for workload in workloads.values():
        pod = workload["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["terminationGracePeriodSeconds"] > 15, "longer than the drain"
        assert container["resources"]["limits"]["memory"]


def test_copies_go_one_at_a_time() -> None:
    assert set(by_kind("PodDisruptionBudget")) == SERVICES - {"router-audit"}


def test_only_these_are_reached_from_outside_and_reach_it() -> None:
    policies = by_kind("NetworkPolicy")
    assert policies["nothing-by-default"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    open_to_all = {
        policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
        for policy in policies.values()
        for rule in policy["spec"].get("ingress", [])
        if "from" not in rule
    }
    assert open_to_all == {"ingest-smtp"}
    world = policies["to-the-world"]["spec"]
    assert set(world["podSelector"]["matchExpressions"][0]["values"]) == {"outbound", "ingest-gmail", "console"}
    blocks = [
        name
        for name, policy in policies.items()
        for rule in policy["spec"].get("egress", [])
        for target in rule["to"]
        if "ipBlock" in target
    ]
    assert blocks == ["to-the-world"]


def test_the_topics_are_those_of_the_contracts() -> None:
    subprocess.run([sys.executable, "deploy/kubernetes/topics.py", "check"], cwd=ROOT, check=True)


def test_no_secret_is_committed() -> None:
    assert not by_kind("Secret")
    example = yaml.safe_load((BASE / "secret.example.yaml").read_text())
    assert "PUT-32-BYTES" in example["stringData"]["MAILROOM_SECRET_KEYS"]
