"""Connecting to a Temporal server, and refusing one that would fail later: wrong version, namespace, attributes."""

import logging
import re
from dataclasses import dataclass, field
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    GetSystemInfoRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import GrpcCompression, RPCError, RPCStatusCode

from arbsaga.errors import Unavailable
from workers.converter import DATA_CONVERTER
from workflows.attributes import ALL

MIN_SERVER = (1, 27)
"""The first server line with everything used here: updates, eager start, summaries in the UI."""
RETENTION = timedelta(days=90)
"""How long the server keeps ended trades; the ledger keeps their histories for ever."""
CONNECT_LIMIT = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class TemporalSettings:
    """Where workflows run. `api_key` (Temporal Cloud) is never shown."""

    address: str
    namespace: str = "default"
    tls: bool = False
    api_key: str | None = field(default=None, repr=False)


async def connect(settings: TemporalSettings) -> Client:
    """A client on a server that can run trades. Raises Unavailable, one line, when it cannot."""
    client = await _dial(settings)
    try:
        await _check_version(client, settings)
        await _check_namespace(client, settings)
        missing = await missing_attributes(client)
    except RPCError as error:  # it was there when we dialled: it ended since, or refuses to tell
        raise _says(settings, error) from None
    if missing:
        wanted = " ".join(f"--name {name} --type {ALL[name]}" for name in missing)
        raise Unavailable(
            f"search attributes missing in namespace {settings.namespace}: "
            f"run `temporal operator search-attribute create {wanted}`"
        )
    return client


async def prepare(settings: TemporalSettings) -> None:
    """Register the search attributes and set the retention. For a server of one's own, before `connect`."""
    client = await _dial(settings)
    await _check_namespace(client, settings)
    await ensure_attributes(client)
    await ensure_retention(client)


async def ensure_attributes(client: Client) -> None:
    """Register the search attributes that are missing. Raises Unavailable where that is not allowed."""
    missing = await missing_attributes(client)
    if not missing:
        return
    types = {name: IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{_constant(ALL[name])}") for name in missing}
    try:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=types)
        )
    except RPCError as error:
        raise Unavailable(f"search attributes cannot be registered: {error.message}") from None


async def missing_attributes(client: Client) -> list[str]:
    """The names of our search attributes that the namespace does not have."""
    known = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    return [name for name in ALL if name not in known.custom_attributes]


async def ensure_retention(client: Client) -> None:
    """Keep ended workflows for 90 days: a server's own default is as short as 24 hours."""
    described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    if described.config.workflow_execution_retention_ttl.ToTimedelta() >= RETENTION:
        return
    ttl = Duration()
    ttl.FromTimedelta(RETENTION)
    await client.workflow_service.update_namespace(
        UpdateNamespaceRequest(namespace=client.namespace, config=NamespaceConfig(workflow_execution_retention_ttl=ttl))
    )


async def _dial(settings: TemporalSettings) -> Client:
    try:
        return await Client.connect(
            settings.address,
            namespace=settings.namespace,
            tls=settings.tls or None,
            api_key=settings.api_key,
            data_converter=DATA_CONVERTER,
            connect_timeout=CONNECT_LIMIT,
            # Compressing for the loopback only costs time.
            grpc_compression=GrpcCompression.GZIP if settings.tls else GrpcCompression.NONE,
            runtime=_runtime(),
        )
    except (RuntimeError, RPCError) as error:
        raise Unavailable(
            f"no Temporal server at {settings.address} ({_short(error)}): "
            "start one with `arbsaga up`, or set temporal.address"
        ) from None


async def _check_version(client: Client, settings: TemporalSettings) -> None:
    info = await client.workflow_service.get_system_info(GetSystemInfoRequest())
    found = re.match(r"(\d+)\.(\d+)", info.server_version)
    if found is None or tuple(int(part) for part in found.groups()) < MIN_SERVER:
        wanted = ".".join(str(part) for part in MIN_SERVER)
        raise Unavailable(
            f"the Temporal server at {settings.address} is version {info.server_version or 'unknown'}: "
            f"{wanted} or newer is needed"
        )


async def _check_namespace(client: Client, settings: TemporalSettings) -> None:
    try:
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=settings.namespace))
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise Unavailable(
                f"no namespace {settings.namespace} at {settings.address}: "
                f"run `temporal operator namespace create {settings.namespace}`, or set temporal.namespace"
            ) from None
        raise _says(settings, error) from None


def _says(settings: TemporalSettings, error: RPCError) -> Unavailable:
    return Unavailable(f"the Temporal server at {settings.address} says: {_short(error)}")


_shared_runtime: list[Runtime] = []


def _runtime() -> Runtime:
    """One runtime for the process, whose logs go through Python's logging: stdout is for events alone."""
    if not _shared_runtime:
        forward = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
        levels = TelemetryFilter(core_level="WARN", other_level="ERROR")
        _shared_runtime.append(Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(levels, forward))))
    return _shared_runtime[0]


def _short(error: Exception) -> str:
    if "ConnectionRefused" in str(error):
        return "connection refused"
    text = str(error).strip().splitlines()
    return text[-1][:200] if text else type(error).__name__


def _constant(kind: str) -> str:
    """KeywordList -> KEYWORD_LIST."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).upper()
