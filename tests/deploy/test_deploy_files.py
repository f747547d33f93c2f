"""The files under deploy/ tell the truth: what they start exists, what they set is read, what they ask answers."""

from __future__ import annotations

import ast
import configparser
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.cli.arguments import command_parser, find_command
from orchestrator.cli.commands import COMMANDS, load_command
from orchestrator.cli.worker import LANES
from orchestrator.settings import PREFIX, Settings, read_settings
from orchestrator.tasks.app import make_app

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
KNOWN = {PREFIX + name.upper() for name in Settings.model_fields}
OTHERS = {"REMAP_SIGTERM", "PYTHONUNBUFFERED"}
SOFT_END = float(make_app().conf.worker_soft_shutdown_timeout)
API_PORT, PROBE_PORT = 8000, 9100
PATHS = {API_PORT: {"/healthz", "/readyz", "/metrics"}, PROBE_PORT: {"/healthz", "/metrics"}}
RIGHTS = "/var/lib/journeys/rights.jsonl"


def read_command(words: list[str]) -> Any:
    """A command line, read by the command's own parser. Raises what it refuses."""
    command, rest = find_command(words)
    assert command in COMMANDS, words
    module = load_command(command)
    parser = command_parser(command, module.DESCRIPTION, module.EXAMPLES)
    module.add_arguments(parser)
    return parser.read(rest)


def lanes_of(commands: list[list[str]]) -> set[str]:
    found: set[str] = set()
    for words in commands:
        if words[0] == "worker":
            found |= set(read_command(words).lanes or LANES)
    return found


# --- compose ----------------------------------------------------------------------------------------------------------

COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "orchestrator"}


@pytest.mark.parametrize("name", OURS)
def test_every_service_starts_a_command_with_settings_that_exist(name: str) -> None:
    service = OURS[name]
    read_command(service["command"])
    given = set(service["environment"])
    assert given <= KNOWN
    assert {f"{PREFIX}{word}" for word in ("DATABASE_URL", "BROKER_URL", "SECRET_KEY", "WRITE_KEYS")} <= given
    assert service["read_only"] and service["cap_drop"] == ["ALL"]


def test_the_values_of_compose_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in OURS.values():
        for name, value in service["environment"].items():
            default = re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", str(value))
            monkeypatch.setenv(name, re.sub(r"\$\{[A-Z_]+:\?[^}]*\}", "a word of thirty-two letters or so", default))
        settings = read_settings()
        assert settings.database_url is not None and settings.broker_url is not None


def test_no_secret_stands_in_a_file() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{([A-Z_]+)", text)) - {"PROJECT"}
    offered = set(re.findall(r"^#?([A-Z_]+)=", (DEPLOY / "example.env").read_text(), re.MULTILINE))
    assert asked - {"SMS_URL"} <= offered
    for secret in ("POSTGRES_PASSWORD", "SECRET_KEY", "WRITE_KEYS"):
        assert re.search(rf"^{secret}=$", (DEPLOY / "example.env").read_text(), re.MULTILINE)
    assert ".env" in (DEPLOY / ".gitignore").read_text().split()


def test_compose_has_every_process_and_lane() -> None:
    commands = [service["command"] for service in OURS.values()]
    assert {words[0] for words in commands} >= {"serve", "worker", "beat", "rights", "db", "deploy"}
    assert lanes_of(commands) == set(LANES)
    assert {"postgres", "redis", "mail"} <= COMPOSE["services"].keys()
    follow = read_command(OURS["rights"]["command"]).follow
    assert str(follow) == RIGHTS
    assert any(volume.endswith(f":{follow.parent}") for volume in OURS["rights"]["volumes"])


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_what_stays_up_is_watched(name: str) -> None:
    service = COMPOSE["services"][name]
    for other in service.get("depends_on", {}):
        assert other in COMPOSE["services"]
    for volume in service.get("volumes", ()):
        assert volume.startswith("${PROJECT") or volume.partition(":")[0] in COMPOSE["volumes"]
    if service["restart"] == "no" or name == "rights":  # it serves nobody, and ends when it cannot go on
        return
    test = service["healthcheck"]["test"]
    asked = re.search(r"127\.0\.0\.1:(\d+)(/\w+)", " ".join(test))
    if service["image"] == "orchestrator":
        assert asked is not None
        check_probe(service["command"], int(asked[1]), asked[2])
        ast.parse(test[-1])
        if service["command"][0] == "worker":
            assert float(service["stop_grace_period"].removesuffix("s")) > SOFT_END


def check_probe(words: list[str], port: int, path: str) -> None:
    args = read_command(words)
    assert port in ({PROBE_PORT, args.port} if words[0] == "serve" else {PROBE_PORT})
    assert path in PATHS[port]


def test_paths_of_probes_exist(tmp_path: Path) -> None:
    source = (DEPLOY.parent / "orchestrator" / "http" / "probes.py").read_text()
    assert all(f'("{path}", ' in source for path in PATHS[API_PORT])
    source = (DEPLOY.parent / "orchestrator" / "wiring" / "probe_server.py").read_text()
    assert all(f'path == "{path}"' in source for path in PATHS[PROBE_PORT])


# --- the image --------------------------------------------------------------------------------------------------------


def test_the_image_runs_as_nobody_and_copies_what_exists() -> None:
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    last = [words for word, words in lines if word == "USER"][-1]
    assert last.split(":")[0].isdigit() and last.split(":")[0] != "0"
    assert {int(port) for word, words in lines if word == "EXPOSE" for port in words.split()} == set(PATHS)
    for word, words in lines:
        if word == "COPY" and not words.startswith("--from"):
            assert all((DEPLOY.parent / name).exists() for name in words.split()[:-1]), words
    [environment] = [words for word, words in lines if word == "ENV"]
    assert set(re.findall(r"([A-Z_]+)=", environment)) <= KNOWN | OTHERS
    [entry] = [ast.literal_eval(words) for word, words in lines if word == "ENTRYPOINT"]
    [command] = [ast.literal_eval(words) for word, words in lines if word == "CMD"]
    assert entry == ["orchestrator"]
    assert read_command(command).port == API_PORT
    extras = re.findall(r"\.whl\)\[([a-z,]+)\]", text)[0].split(",")
    assert all(f"\n{extra} = [" in (DEPLOY.parent / "pyproject.toml").read_text() for extra in extras)
    for name in ("backup", "restore"):
        assert os.access(DEPLOY / name, os.X_OK)


# --- systemd ----------------------------------------------------------------------------------------------------------

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def unit(path: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path)
    return parser


def commands_of(path: Path) -> list[list[str]]:
    """What a unit starts; a template with every instance that its comment names."""
    words = unit(path)["Service"]["ExecStart"].split()
    assert words[0].endswith("/bin/orchestrator")
    instances = re.findall(r"@(\w[\w,]*)$", path.read_text(), re.MULTILINE) if "@" in path.name else [""]
    assert instances
    return [[word.replace("%i", instance) for word in words[1:]] for instance in instances]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_every_unit_starts_again_is_hardened_and_ends_softly(path: Path) -> None:
    service, text = unit(path)["Service"], path.read_text()
    commands = commands_of(path)
    for words in commands:
        read_command(words)
    assert service["Restart"] == "always"
    assert service["User"] != "root"
    assert service["NoNewPrivileges"] == "yes" and service["ProtectSystem"] == "strict"
    assert set(re.findall(rf"({PREFIX}[A-Z_]+)=", text)) <= KNOWN
    assert float(service["TimeoutStopSec"]) > SOFT_END
    if commands[0][0] in ("worker", "beat"):
        assert "REMAP_SIGTERM=SIGQUIT" in text


def test_units_are_all_processes_and_lanes() -> None:
    commands = [words for path in UNITS for words in commands_of(path)]
    assert {words[0] for words in commands} == {"serve", "worker", "beat", "rights"}
    assert lanes_of(commands) == set(LANES)


# --- Kubernetes -------------------------------------------------------------------------------------------------------


def documents() -> Iterator[dict[str, Any]]:
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
        yield from yaml.safe_load_all(path.read_text())


def pods() -> dict[str, dict[str, Any]]:
    found = {}
    for document in documents():
        if document["kind"] in ("Deployment", "Job"):
            found[document["metadata"]["name"]] = document["spec"]["template"]["spec"]
    return found


CONFIG = next(document for document in documents() if document["kind"] == "ConfigMap")["data"]


@pytest.mark.parametrize("name", pods())
def test_every_pod_is_bounded_and_not_root(name: str) -> None:
    pod = pods()[name]
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] != 0
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]
    assert {volume["name"] for volume in pod["volumes"]} == {mount["name"] for mount in container["volumeMounts"]}
    words = container["args"]
    read_command(words)
    if words[0] == "worker":
        assert pod["terminationGracePeriodSeconds"] > 2 * SOFT_END
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", ())}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if probe in container:
            asked = container[probe]["httpGet"]
            check_probe(words, ports[asked["port"]], asked["path"])
    if words[0] in ("serve", "worker", "beat"):
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz", "restarting mends no database"
    if words[0] == "serve":
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_kubernetes_has_every_process_and_lane_and_both_phases() -> None:
    commands = [pod["containers"][0]["args"] for pod in pods().values()]
    assert {words[0] for words in commands} == {"serve", "worker", "beat", "rights", "db", "deploy"}
    assert lanes_of(commands) == set(LANES)
    assert sorted(read_command(words).phase for words in commands if words[0] == "db") == ["after", "before"]


def test_kubernetes_settings_exist_and_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (DEPLOY / "kubernetes" / "common.yaml").read_text()
    secret = set(re.findall(rf"--from-literal=({PREFIX}[A-Z_]+)", text))
    assert secret <= KNOWN and CONFIG.keys() <= KNOWN | OTHERS
    assert CONFIG["REMAP_SIGTERM"] == "SIGQUIT"
    for name, value in CONFIG.items():
        monkeypatch.setenv(name, value)
    assert read_settings().probe_port == PROBE_PORT


def test_the_world_reaches_what_customers_and_the_shop_need_alone() -> None:
    ingress = next(document for document in documents() if document["kind"] == "Ingress")
    paths = {path["path"] for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]}
    assert paths == {"/v1", "/u", "/s", "/v", "/assets"}
    service = next(document for document in documents() if document["kind"] == "Service")
    assert service["spec"]["selector"] == {"app": "journeys", "part": "api"}
