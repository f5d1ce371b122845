#!/usr/bin/env python3
"""Runs the real Home Assistant beside a broker and the service, and looks at what it found.

    home_assistant.py OFFKEY_SERVE HASS MODEL FOLDER

Shown: the machine appears as a device with its entities by discovery alone; its alarm turns the binary sensor on; pressing the button in
Home Assistant acknowledges the alarm. Home Assistant is asked through its own interface, with a token written beforehand.
"""

import base64
import hashlib
import hmac
import json
import math
import pathlib
import random
import re
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request

FOUND_WITHIN_S = 600


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(what, look, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := look():
                print(f"ok: {what}", flush=True)
                return found
        except (urllib.error.URLError, OSError, ValueError, KeyError):
            pass
        time.sleep(0.5)
    raise SystemExit(f"not within {seconds} s: {what}")


def ask(url, body=None, token=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers), timeout=30) as answer:
        return json.load(answer)


def wav(samples):
    data = b"".join(struct.pack("<h", max(-32768, min(32767, int(sample)))) for sample in samples)
    return b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16000, 32000, 2, 16) + b"data" + struct.pack("<I", len(data)) + data


def token_of(key, refresh):
    """An access token as Home Assistant makes it from a refresh token."""
    part = lambda value: base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=")
    now = int(time.time())
    body = part({"alg": "HS256", "typ": "JWT"}) + b"." + part({"iss": refresh, "iat": now, "exp": now + 7200})
    return (body + b"." + part(hmac.new(key.encode(), body, hashlib.sha256).digest())).decode()


def prepare(config, http_port, mqtt_port):
    """A Home Assistant that has been set up: one owner, and the broker as its MQTT."""
    storage = config / ".storage"
    storage.mkdir(parents=True)
    (config / "configuration.yaml").write_text(f"http:\n  server_port: {http_port}\n  server_host: 127.0.0.1\napi:\nmqtt:\n")
    now = "2026-01-01T00:00:00+00:00"
    write = lambda name, version, minor, data: (storage / name).write_text(json.dumps({"version": version, "minor_version": minor, "key": name, "data": data}))
    write("onboarding", 4, 1, {"done": ["user", "core_config", "integration", "analytics"]})
    entry = {
        "created_at": now, "modified_at": now, "data": {"broker": "127.0.0.1", "port": mqtt_port}, "disabled_by": None, "discovery_keys": {},
        "domain": "mqtt", "entry_id": "0123456789abcdef0123456789abcdef", "minor_version": 2, "options": {"discovery": True, "discovery_prefix": "homeassistant"},
        "pref_disable_new_entities": False, "pref_disable_polling": False, "source": "user", "subentries": [], "title": "broker",
        "unique_id": None, "version": 1,
    }
    write("core.config_entries", 1, 5, {"entries": [entry]})
    key, refresh, user = "k" * 128, "refresh0123456789abcdef012345678", "user0123456789abcdef0123456789ab"
    write("auth", 1, 1, {
        "users": [{"id": user, "group_ids": ["system-admin"], "is_owner": True, "is_active": True, "name": "test", "system_generated": False, "local_only": False}],
        "groups": [{"id": "system-admin", "name": "Administrators"}, {"id": "system-users", "name": "Users"}, {"id": "system-read-only", "name": "Read Only"}],
        "credentials": [],
        "refresh_tokens": [{
            "id": refresh, "user_id": user, "client_id": None, "client_name": "test", "client_icon": None, "token_type": "long_lived_access_token",
            "created_at": now, "access_token_expiration": 315360000.0, "token": "t" * 128, "jwt_key": key, "last_used_at": None,
            "last_used_ip": None, "expire_at": None, "credential_id": None, "version": "1",
        }],
    })
    return token_of(key, refresh)


def main():
    program, hass, model, folder = sys.argv[1], sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4])
    mqtt, http, pages = free_port(), free_port(), free_port()
    (folder / "model.offkey").write_bytes(pathlib.Path(model).read_bytes())
    (folder / "serve.toml").write_text(
        f'[web]\nlisten = "127.0.0.1:{pages}"\n[machine.pump]\ntitle = "Pump 1"\nmodel = "model.offkey"\nsource = {{ upload = {{}} }}\n'
        f'[machine.pump.alarm]\nalarms = 2\nwindows = 3\ncalm_windows = 3\n[sink.home]\nmqtt = {{ url = "mqtt://127.0.0.1:{mqtt}", home_assistant = true }}\n')
    token = prepare(folder / "hass", http, mqtt)
    running = [
        subprocess.Popen(["mosquitto", "-p", str(mqtt)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL),
        subprocess.Popen([program, "serve.toml"], cwd=folder, stderr=(folder / "serve.log").open("wb")),
        subprocess.Popen([hass, "--config", str(folder / "hass")], stdout=(folder / "hass.log").open("wb"), stderr=subprocess.STDOUT),
    ]
    try:
        api = f"http://127.0.0.1:{http}/api"
        states = lambda: {state["entity_id"]: state for state in ask(f"{api}/states", token=token)}
        one = lambda part: next(state for entity, state in states().items() if re.search(part, entity))
        look = lambda part: (lambda: one(part)) if any(re.search(part, entity) for entity in states()) else None
        found = until("Home Assistant shows the alarm and the score of Pump 1", lambda: look(r"^binary_sensor\.pump_1_sound_alarm") and look(r"^sensor\.pump_1_score") and states(), FOUND_WITHIN_S)
        print("entities:", ", ".join(sorted(entity for entity in found if "pump_1" in entity)))
        until("the alarm is off", lambda: one(r"^binary_sensor\.pump_1_sound_alarm")["state"] == "off", 60)
        random.seed(1)
        # Nothing like the machine: loud noise with a tone.
        fault = [random.gauss(0, 3000) + 6000 * math.sin(2 * math.pi * 3100 * index / 16000) for index in range(16000 * 6)]
        request = urllib.request.Request(f"http://127.0.0.1:{pages}/api/machines/pump/sound", data=wav(fault))
        urllib.request.urlopen(request, timeout=30).read()
        view = lambda: ask(f"http://127.0.0.1:{pages}/api/machines/pump")["view"]
        until("the service alarms", lambda: view()["phase"] == "active_unacknowledged", 60)
        until("the alarm is on in Home Assistant", lambda: one(r"^binary_sensor\.pump_1_sound_alarm")["state"] == "on", 60)
        button = one(r"^button\.pump_1_acknowledge")["entity_id"]
        ask(f"{api}/services/button/press", {"entity_id": button}, token)
        until("its button acknowledges the alarm", lambda: view()["phase"] == "active_acknowledged", 60)
    except BaseException:
        for name in ("hass.log", "serve.log"):
            print(f"--- {name}\n" + "\n".join((folder / name).read_text(errors="replace").splitlines()[-40:]))
        raise
    finally:
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


if __name__ == "__main__":
    main()
