"""The files that give services their rights on Kafka are those of the table, and each service in Kubernetes is its own user."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from mailroom_contracts.topics import TICKET_EVENTS, TOPICS
from mailroom_runtime.bus.groups import GROUPS
from mailroom_runtime.bus.rights import SERVICES, user_name
from support.processes import REPOSITORY

PREFIX = "least"
KUBERNETES = REPOSITORY / "deploy" / "kubernetes"
COMPONENT = KUBERNETES / "components" / "secured-kafka"


def test_the_files_are_those_of_the_rights() -> None:
    subprocess.run([sys.executable, "deploy/kafka/rights.py", "check"], cwd=REPOSITORY, check=True)


def test_every_topic_has_somebody_who_writes_it_and_every_group_its_one_service() -> None:
    services = [rights for name, rights in SERVICES.items() if name not in ("console", "topics", "operator")]
    written = {topic for rights in (*services, SERVICES["console"]) for topic in rights.writes}
    assert written == set(TOPICS)
    joined = sorted(group for rights in services for group in rights.joins)
    assert joined == sorted([*GROUPS, "ingest_gmail"])


def test_only_the_operator_and_the_topics_job_may_make_topics_and_only_the_router_deletes_and_only_events() -> None:
    may = {
        (name, right.operation, right.name if right.operation == "delete" else "")
        for name, rights in SERVICES.items()
        for right in rights.listed(PREFIX)
        if right.operation in ("create", "delete", "alter", "alter_configs", "all", "cluster_action")
    }
    events = TICKET_EVENTS.full_name(PREFIX)
    assert may == {("topics", "create", ""), ("operator", "create", ""), ("router", "delete", events)}
    for rights in SERVICES.values():
        for right in rights.listed(PREFIX):
            assert right.resource == "cluster" or right.name.startswith(f"{PREFIX}."), right


def test_the_script_gives_kafkas_own_tool_exactly_these_rights(tmp_path: Path) -> None:
    tool, said = tmp_path / "kafka-acls.sh", tmp_path / "said"
    tool.write_text(f'#!/bin/sh\nprintf "%s\\t" "$@" >> {said}\nprintf "\\n" >> {said}\n')
    tool.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "MAILROOM_TOPIC_PREFIX": PREFIX}
    script = str(REPOSITORY / "deploy" / "kafka" / "acls")
    subprocess.run([script, "kafka:9093", "--command-config", "admin.properties"], env=env, check=True)
    given: dict[str, set[tuple[str, str, str, str]]] = {}
    options = {"--topic": "topic", "--group": "group", "--transactional-id": "transactional_id"}
    for line in said.read_text().splitlines():
        words = line.rstrip("\t").split("\t")
        assert words[:4] == ["--bootstrap-server", "kafka:9093", "--command-config", "admin.properties"]
        user = words[words.index("--allow-principal") + 1]
        pattern = words[words.index("--resource-pattern-type") + 1] if "--resource-pattern-type" in words else "literal"
        pairs = list(itertools.pairwise(words))
        operations = [value for option, value in pairs if option == "--operation"]
        resources = [(options[option], value) for option, value in pairs if option in options]
        resources += [("cluster", "kafka-cluster")] if "--cluster" in words else []
        given.setdefault(user, set()).update(
            (resource, name, pattern, operation) for resource, name in resources for operation in operations
        )
    for service, rights in SERVICES.items():
        wanted = {(r.resource, r.name, r.pattern, r.operation.title().replace("_", "")) for r in rights.listed(PREFIX)}
        assert given[f"User:{user_name(service)}"] == wanted, service
    assert len(given) == len(SERVICES)


def test_strimzi_users_have_the_same_rights() -> None:
    kinds = {"topic": "topic", "group": "group", "transactionalId": "transactional_id", "cluster": "cluster"}
    users = {u["metadata"]["name"]: u for u in yaml.safe_load_all((COMPONENT / "users.yaml").read_text())}
    assert set(users) == set(map(user_name, SERVICES))
    for service, rights in SERVICES.items():
        spec = users[user_name(service)]["spec"]
        assert spec["authentication"] == {"type": "scram-sha-512"}
        given = {
            (kinds[acl["resource"]["type"]], acl["resource"].get("name", "kafka-cluster"), operation)
            for acl in spec["authorization"]["acls"] for operation in acl["operations"]
        }  # fmt: skip
        wanted = {(r.resource, r.name, r.operation.title().replace("_", "")) for r in rights.listed("mailroom")}
        assert given == wanted, service


def test_each_service_in_kubernetes_signs_in_as_itself(tmp_path: Path) -> None:
    component = yaml.safe_load((COMPONENT / "kustomization.yaml").read_text())
    patched = [yaml.safe_load(p["patch"]) for p in component["patches"] if "name" in p["target"]]
    signing = {p["metadata"]["name"]: p for p in patched if isinstance(p, dict) and p["kind"] != "ConfigMap"}
    assert {name.replace("-", "_") for name in signing} == set(SERVICES) - {"operator"}
    workloads = list(signing.values())
    if shutil.which("kubectl"):  # and the same of what is rendered
        shutil.copytree(KUBERNETES, tmp_path / "k")
        overlay = tmp_path / "k" / "overlays" / "secured"
        overlay.mkdir()
        (overlay / "kustomization.yaml").write_text(
            "resources: [../production]\ncomponents: [../../components/secured-kafka]\n"
        )
        done = subprocess.run(["kubectl", "kustomize", overlay], capture_output=True, text=True, check=True)
        rendered = [d for d in yaml.safe_load_all(done.stdout) if d["kind"] in ("Deployment", "StatefulSet", "Job")]
        assert {d["metadata"]["name"] for d in rendered} == set(signing)
        for workload in rendered:
            pod = workload["spec"]["template"]["spec"]
            assert {"name": "kafka-ca", "mountPath": "/kafka-ca", "readOnly": True} in pod["containers"][0][
                "volumeMounts"
            ]
        workloads += rendered
    for workload in workloads:
        name = workload["metadata"]["name"]
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        env = {entry["name"]: entry for entry in container["env"]}
        assert env["MAILROOM_KAFKA_USERNAME"]["value"] == user_name(name)
        password = env["MAILROOM_KAFKA_PASSWORD"]["valueFrom"]["secretKeyRef"]
        assert password == {"name": user_name(name), "key": "password"}
