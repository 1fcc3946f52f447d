"""The files in deploy/ pass the linters, which refuse broken ones. No engine or cluster runs them here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from centerclip.index.lease import LEASE_SECONDS
from centerclip.serve.running import _GRACE_SECONDS

DEPLOY = Path(__file__).parents[2] / "deploy"
MANIFESTS = DEPLOY / "kubernetes.yaml"
COMPOSE = DEPLOY / "compose.replicas.yaml"


def check(text: str) -> None:
    """Validate each document by the schema of its kind, in which no other field is allowed."""
    for document in yaml.safe_load_all(text):
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def fits_schema(file: Path) -> bool:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def manifests() -> dict[str, Any]:
    documents = yaml.safe_load_all(MANIFESTS.read_text(encoding="utf-8"))
    return {document["kind"]: document["spec"] for document in documents}


def test_the_manifests_are_valid() -> None:
    check(MANIFESTS.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "change",
    [
        ("replicas: 2", "replicas: two"),
        ("readinessProbe:", "readynessProbe:"),
        ("concurrencyPolicy: Forbid", "concurrencyPolicy: [Forbid]"),
        ("minReplicas: 2", "min_replicas: 2"),
    ],
)
def test_bad_manifests_are_refused(change: tuple[str, str]) -> None:
    text = MANIFESTS.read_text(encoding="utf-8")
    assert change[0] in text
    with pytest.raises(kubernetes_validate.ValidationError):
        check(text.replace(*change))


def test_a_rolling_restart_loses_no_request(manifests: dict[str, Any]) -> None:
    """A pod goes on until nobody sends it requests any more, and has time to finish those it has."""
    spec = manifests["Deployment"]["template"]["spec"]
    (server,) = spec["containers"]
    drain = int(server["args"][server["args"].index("--drain") + 1])
    ready, alive = server["readinessProbe"], server["livenessProbe"]
    assert ready["httpGet"]["path"] == "/readyz"
    assert {probe["httpGet"]["path"] for probe in (alive, server["startupProbe"])} == {"/healthz"}
    assert drain > ready["periodSeconds"] * ready["failureThreshold"] + ready["timeoutSeconds"]
    assert spec["terminationGracePeriodSeconds"] > drain + _GRACE_SECONDS
    assert manifests["Deployment"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert manifests["CronJob"]["concurrencyPolicy"] == "Forbid"


def test_a_run_that_is_started_again_takes_over_the_lease_of_the_one_that_was_killed(
    manifests: dict[str, Any],
) -> None:
    (writer,) = manifests["CronJob"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert float(writer["args"][writer["args"].index("--wait") + 1]) > LEASE_SECONDS + 10


def test_pods_are_closed(manifests: dict[str, Any]) -> None:
    pods = [
        manifests["Deployment"]["template"]["spec"],
        manifests["CronJob"]["jobTemplate"]["spec"]["template"]["spec"],
    ]
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert not container["securityContext"]["allowPrivilegeEscalation"]
            assert "memory" in container["resources"]["limits"]
            written = {mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
            assert "videos" not in written


def test_the_compose_file_fits_the_specification(tmp_path: Path) -> None:
    assert fits_schema(COMPOSE)
    bad = tmp_path / "compose.yaml"
    bad.write_text(COMPOSE.read_text(encoding="utf-8").replace("tmpfs:", "tempfs:"), encoding="utf-8")
    assert not fits_schema(bad)


def test_only_the_writer_writes_the_volume() -> None:
    services = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    data = {
        name: volume
        for name, service in services.items()
        for volume in service["volumes"]
        if volume.startswith("data:")
    }
    assert data == {"writer": "data:/data", "replica-1": "data:/data:ro", "replica-2": "data:/data:ro"}
    upstreams = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    assert {name for name in services if f"{name}:8000" in upstreams} == {"replica-1", "replica-2"}
