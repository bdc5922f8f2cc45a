"""The machine and the versions behind the figures, one line each, as README.md and report.html both list them."""

from __future__ import annotations

from collections.abc import Sequence

from porter.records.environment_lock import EnvironmentLock
from porter.records.host_facts import HostFacts
from porter.records.message import Message, Text, Value
from porter.records.record import PluginUse, RunRecord


def environment_facts(
    record: RunRecord, environments: Sequence[tuple[str, EnvironmentLock]]
) -> tuple[tuple[Text, Value], ...]:
    """What each line is about, and what it says; nothing for what is not known. `environments` are those of runtimes
    that do not work in porter's process."""
    machine = record.environment
    if machine is None:
        return _given(record)
    usable = (
        Message("{count} by affinity, no control-group quota", count=machine.affinity_cpus)
        if machine.cgroup_cpus is None
        else Message(
            "{count} by affinity, {quota:g} by control-group quota",
            count=machine.affinity_cpus,
            quota=machine.cgroup_cpus,
        )
    )
    lines: list[tuple[Text, Value]] = [
        (Message("Processor"), Message("{name}, {count} logical", name=machine.cpu, count=machine.logical_cpus)),
        (Message("Usable by the run"), usable),
        (Message("Affinity"), machine.affinity),
        (Message("Threads a session"), record.request.threads or machine.threads),
        (Message("Memory"), f"{machine.memory_gib} GiB"),
        (
            Message("Frequency governor"),
            Message("not reported") if machine.governor == "not reported" else machine.governor,
        ),
        (Message("Load average at the start"), str(machine.load_average)),
        (Message("System"), machine.os),
        ("Python", machine.python),
        (Message("JPEG decoder"), machine.jpeg_decoder),
        (Message("Preprocessing is not at its fastest"), machine.slower_because),
        ("porter", record.porter),
        *((_role(use.role), _plugin(use)) for use in record.plugins),
        *machine.packages.items(),
        *(
            (Message("Environment of {runtime}", runtime=runtime), (f"Python {lock.python}", *lock.packages))
            for runtime, lock in environments
        ),
    ]
    return (*_given(record), *((title, value) for title, value in lines if value != ""))


def _given(record: RunRecord) -> tuple[tuple[Text, Value], ...]:
    """What the user states of the host. Of an import, whose host nobody can ask, what is not stated is named."""
    given = record.host_facts
    if given is None and record.imported is None:
        return ()
    given = given or HostFacts()
    lines: list[tuple[Text, str]] = [
        (Message("Chip"), given.chip),
        (Message("Card"), given.card),
        (Message("Driver"), given.driver),
        (Message("Firmware"), given.firmware),
        (Message("Host"), given.host),
        (Message("System of the host"), given.os),
        *given.versions.items(),
    ]
    if not given.versions:
        lines.append((Message("Software of the host"), ""))
    fill_in = None if record.imported is None else Message("not recorded: fill in")
    return tuple(
        (title, Message("{fact} (given by the user)", fact=fact) if fact else fill_in)
        for title, fact in lines
        if fact or fill_in
    )


def _role(role: str) -> Text:
    if role == "model":
        return Message("Plugin of the model")
    if role == "task":
        return Message("Plugin of the task")
    if role.startswith("runtime "):
        return Message("Plugin of the runtime {name}", name=role.removeprefix("runtime "))
    return Message("Plugin, {role}", role=role)


def _plugin(use: PluginUse) -> str:
    return f"{use.plugin} ({use.distribution} {use.version})" if use.distribution else use.plugin
