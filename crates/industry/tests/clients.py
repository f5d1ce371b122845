#!/usr/bin/env python3
"""Real clients against the real service: pymodbus reads the map, asyncua subscribes with a certificate of its own.

    clients.py OFFKEY_SERVE MODEL FOLDER

Shown: the map that the program prints is the one that it answers; a fault becomes an alarm in both doors and is acknowledged there; wrong
addresses and functions get their exception; connections are bounded; idle ones are closed; a stranger's certificate is refused until it
is moved; nothing can be written; nobody gets in without encryption; subscriptions come back after the service was killed and started again.
"""

import asyncio
import csv
import io
import json
import math
import pathlib
import random
import socket
import struct
import subprocess
import sys
import time
import urllib.request

from asyncua import Client, ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.security_policies import SecurityPolicyAes256Sha256RsaPss, SecurityPolicyBasic256Sha256
from cryptography.x509.oid import ExtendedKeyUsageOID
from pymodbus.client import ModbusTcpClient

NAMESPACE = "urn:offkey:machines"
CLIENT = "urn:plant:client"
RATE_HZ = 16000


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ok(what):
    print(f"ok: {what}", flush=True)


def until(what, look, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if (found := look()) is not None:
                ok(what)
                return found
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"not within {seconds} s: {what}")


def wav(samples):
    data = b"".join(struct.pack("<h", max(-32768, min(32767, int(sample)))) for sample in samples)
    head = struct.pack("<IHHIIHH", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    return b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + head + b"data" + struct.pack("<I", len(data)) + data


def fault(seconds):
    """Nothing like the machine: loud noise with a whistle."""
    rng = random.Random(1)
    return wav([rng.gauss(0, 3000) + 6000 * math.sin(2 * math.pi * 3100 * n / RATE_HZ) for n in range(int(seconds * RATE_HZ))])


class Service:
    """The program with both doors."""

    def __init__(self, program, model, folder):
        self.program, self.folder = program, folder
        self.web, self.modbus, self.opcua = free_port(), free_port(), free_port()
        (folder / "serve.toml").write_text(f"""
[store]
folder = "store"
[web]
listen = "127.0.0.1:{self.web}"
[modbus]
listen = "127.0.0.1:{self.modbus}"
machines = ["pump", "fan"]
connections = 3
idle = "3s"
[opcua]
listen = "127.0.0.1:{self.opcua}"
host = "localhost"
[machine.fan]
source = {{ upload = {{}} }}
[machine.pump]
title = "Pump"
model = "{model}"
source = {{ upload = {{}} }}
[machine.pump.alarm]
alarms = 2
windows = 3
calm_windows = 3
""")

    def start(self):
        self.process = subprocess.Popen([self.program, str(self.folder / "serve.toml")])
        until("the service answers", lambda: urllib.request.urlopen(f"http://127.0.0.1:{self.web}/healthz", timeout=2).read() or None)

    def post(self, path, body=b"", kind="application/json"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.web}/api/machines/{path}", data=body, headers={"Content-Type": kind}, method="POST")
        return urllib.request.urlopen(request, timeout=30).read()

    def view(self, machine):
        return json.load(urllib.request.urlopen(f"http://127.0.0.1:{self.web}/api/machines/{machine}", timeout=10))

    def map(self):
        text = subprocess.run([self.program, "registers", str(self.folder / "serve.toml")], check=True, capture_output=True, text=True).stdout
        return {(row["table"], row["block"], row["name"]): row for row in csv.DictReader(io.StringIO(text))}


def read(client, places, block, name):
    """One value, found by its name in the printed map."""
    row = places.get(("input register", block, name))
    if row is None:
        row = places["discrete input", block, name]
        return client.read_discrete_inputs(int(row["address"]), count=1).bits[0]
    registers = client.read_input_registers(int(row["address"]), count=int(row["registers"])).registers
    data = struct.pack(f">{len(registers)}H", *registers)
    if row["type"] == "text":
        return data.rstrip(b"\0").decode()
    return struct.unpack({"u16": ">H", "u32": ">I", "u64": ">Q", "f32": ">f"}[row["type"]], data)[0]


def modbus(service):
    places = service.map()
    client = ModbusTcpClient("127.0.0.1", port=service.modbus)
    assert client.connect()
    get = lambda block, name: read(client, places, block, name)
    assert [get("pump", "name"), get("fan", "name"), get("service", "machines"), get("service", "map")] == ["pump", "fan", 2, 1]
    before = get("service", "heartbeat")
    until("the heartbeat rises", lambda: True if get("service", "heartbeat") != before else None, 2)
    assert abs(get("service", "time") - time.time()) < 5
    assert math.isnan(get("fan", "score")) and get("fan", "age") == 0xFFFFFFFF and get("fan", "event") == 0
    ok("the map of the program is the map of the wire")

    end = 32 * 3
    for answer, code in [
        (client.read_input_registers(end, count=1), 2),
        (client.read_input_registers(end - 1, count=2), 2),
        (client.read_discrete_inputs(48, count=1), 2),
        (client.read_holding_registers(0, count=1), 1),
        (client.read_coils(0, count=1), 1),
        (client.write_register(32, 7), 1),
        (client.write_coil(16, True), 1),
        (client.write_registers(32, [1, 2]), 1),
    ]:
        assert answer.isError() and answer.exception_code == code, answer
    ok("what is not served gets its exception, and writing is not served")

    whole = client.read_input_registers(32, count=64).registers
    assert len(whole) == 64
    client.close()
    ok("two machines come in one request")


def bounds(service):
    ask = bytes([0, 1, 0, 0, 0, 6, 1, 4, 0, 0, 0, 1])
    # The connection of the test before is closed, which the service may not have seen yet.
    time.sleep(1)
    open_ones = [socket.create_connection(("127.0.0.1", service.modbus), timeout=10) for _ in range(3)]
    for one in open_ones:
        one.sendall(ask)
        assert one.recv(100)[-2:] == b"\0\1"
    fourth = socket.create_connection(("127.0.0.1", service.modbus), timeout=10)
    try:
        fourth.sendall(ask)
        assert fourth.recv(100) == b""
    except ConnectionError:
        pass
    ok("the fourth connection of three is closed")
    began = time.monotonic()
    assert open_ones[0].recv(100) == b"" and 1 < time.monotonic() - began < 8
    ok("an idle connection is closed")
    for one in [*open_ones, fourth]:
        one.close()
    junk = socket.create_connection(("127.0.0.1", service.modbus), timeout=2.5)
    junk.sendall(b"GET / HTTP/1.1\r\n\r\n")
    try:
        assert junk.recv(100) == b""
    except ConnectionError:
        pass
    ok("who does not speak Modbus is cut off")


async def certificate(folder):
    names = {"organizationName": "plant", "commonName": "client"}
    await setup_self_signed_certificate(folder / "client.pem", folder / "client.der", CLIENT, "localhost", [ExtendedKeyUsageOID.CLIENT_AUTH], names)


async def connect(service, policy=SecurityPolicyBasic256Sha256):
    client = Client(f"opc.tcp://localhost:{service.opcua}/", timeout=20)
    client.application_uri = CLIENT
    await client.set_security(
        policy, str(service.folder / "client.der"), str(service.folder / "client.pem"), mode=ua.MessageSecurityMode.SignAndEncrypt
    )
    await client.connect()
    return client


class Heard:
    """What a subscription told: the values of each node, in order."""

    def __init__(self):
        self.values = {}

    def datachange_notification(self, node, value, data):
        self.values.setdefault(node.nodeid.Identifier, []).append(value)

    def status_change_notification(self, status):
        pass

    async def until(self, name, wanted, seconds=60):
        for _ in range(10 * seconds):
            if wanted in self.values.get(name, []):
                return ok(f"{name} was told to be {wanted}")
            await asyncio.sleep(0.1)
        raise SystemExit(f"not within {seconds} s: {name} is {wanted}; told were {self.values.get(name)}")


async def subscribe(client, names):
    space = await client.get_namespace_index(NAMESPACE)
    heard = Heard()
    subscription = await client.create_subscription(200, heard)
    await subscription.subscribe_data_change([client.get_node(ua.NodeId(name, space)) for name in names])
    return heard


async def refused(what, attempt):
    try:
        await attempt
    except (ua.UaError, asyncio.TimeoutError, ConnectionError, TimeoutError) as error:
        return ok(f"{what}: refused ({type(error).__name__})")
    raise SystemExit(f"not refused: {what}")


async def opcua(service):
    store = service.folder / "store" / "opcua"
    endpoints = await Client(f"opc.tcp://localhost:{service.opcua}/", timeout=20).connect_and_get_server_endpoints()
    modes = {(point.SecurityMode, point.SecurityPolicyUri.rsplit("#")[-1]) for point in endpoints}
    assert modes and all(mode == ua.MessageSecurityMode.SignAndEncrypt for mode, _ in modes), modes
    ok(f"every endpoint is signed and encrypted: {sorted(policy for _, policy in modes)}")
    assert (store / "private").stat().st_mode & 0o077 == 0

    await refused("a client without encryption", Client(f"opc.tcp://localhost:{service.opcua}/", timeout=10).connect())
    await refused("a stranger's certificate", connect(service))
    rejected = list((store / "rejected").iterdir())
    assert len(rejected) == 1, rejected
    rejected[0].rename(store / "trusted" / rejected[0].name)
    client = await connect(service)
    ok("the certificate was moved to `trusted`: the client is connected")

    space = await client.get_namespace_index(NAMESPACE)
    machines = await client.nodes.objects.get_child([f"{space}:Machines"])
    names = sorted([(await machine.read_display_name()).Text for machine in await machines.get_children()])
    assert names == ["Pump", "fan"], names
    pump = await machines.get_child([f"{space}:pump"])
    variables = {(await node.read_browse_name()).Name: node for node in await pump.get_children()}
    ok(f"a machine has {len(variables)} variables: {', '.join(sorted(variables))}")
    unknown = await client.get_node(ua.NodeId("fan.Score", space)).read_data_value(raise_on_bad_status=False)
    assert unknown.StatusCode.value == ua.StatusCodes.BadWaitingForInitialData, unknown
    for name, node in variables.items():
        value = await node.read_data_value(raise_on_bad_status=False)
        try:
            await node.write_value(ua.DataValue(value.Value))
        except ua.UaError:
            continue
        raise SystemExit(f"{name} could be written")
    ok("nothing can be written")
    heard = await subscribe(client, ["pump.State", "pump.Alarm", "pump.Unacknowledged", "pump.Score", "pump.Event", "pump.Level"])
    return client, heard


def everywhere(service, name, wanted):
    places = service.map()
    client = ModbusTcpClient("127.0.0.1", port=service.modbus)
    assert client.connect()
    found = until(f"register {name} is {wanted}", lambda: True if read(client, places, "pump", name) == wanted else None)
    client.close()
    return found


def numbers(service):
    """The same values in the pages' interface and in the registers."""
    places, view = service.map(), service.view("pump")["view"]
    client = ModbusTcpClient("127.0.0.1", port=service.modbus)
    assert client.connect()
    get = lambda name: read(client, places, "pump", name)
    last = view["last"]
    for name, value in [("score", last["score"]), ("p_value", last["p_value"]), ("level", last["level_db"])]:
        assert abs(get(name) - value) <= 1e-5 * max(1, abs(value)), (name, get(name), value)
    assert get("window") == last["at_ms"] // 1000 and get("alarm") == view["alarm"]
    event = f"pump.{get('event_born'):x}.{get('event')}"
    client.close()
    ok(f"registers hold the numbers of the pages; the latest event is {event}")
    return event


async def main():
    program, model, folder = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3])
    service = Service(program, model, folder)
    service.start()
    try:
        modbus(service)
        bounds(service)
        await certificate(folder)
        client, heard = await opcua(service)
        await heard.until("pump.State", 0)

        service.post("pump/sound", fault(6), "audio/wav")
        await heard.until("pump.State", 1)
        await heard.until("pump.Alarm", True)
        await heard.until("pump.Unacknowledged", 1)
        for name, wanted in [("state", 1), ("alarm", 1), ("unacknowledged", 1)]:
            everywhere(service, name, wanted)
        await asyncio.sleep(1)
        event = numbers(service)
        assert heard.values["pump.Event"][-1] == event, heard.values["pump.Event"]
        service.post("pump/acknowledge")
        await heard.until("pump.State", 2)
        everywhere(service, "unacknowledged", 0)
        told = {name: len(values) for name, values in heard.values.items()}
        ok(f"told by the subscription: {told}")

        service.process.kill()
        service.process.wait()
        try:
            await asyncio.wait_for(client.disconnect(), 10)
        except (asyncio.TimeoutError, ua.UaError, ConnectionError, OSError):
            pass
        service.start()
        client = await connect(service, SecurityPolicyAes256Sha256RsaPss)
        ok("the client that was trusted is trusted after the service was killed")
        heard = await subscribe(client, ["pump.State", "pump.Event", "pump.Unacknowledged"])
        await heard.until("pump.State", 2)
        assert heard.values["pump.Event"][-1].split(".")[:2] == event.split(".")[:2]
        service.post("pump/shelve", b'{"for": "1h"}')
        await heard.until("pump.State", 6)
        everywhere(service, "state", 6)
        everywhere(service, "hidden", 1)
        await client.disconnect()
    finally:
        service.process.terminate()
        service.process.wait(20)
    ok("the service ended by itself when asked")


asyncio.run(main())
