"""home_assistant.py PAYLOAD: Home Assistant's own schemas on a device's discovery message, as its MQTT integration goes:
the device, then each component with the options that it shares. Needs PyPI `homeassistant` (2024.11 or later) and what its
MQTT integration imports (`paho-mqtt`). Exit: 0 accepted, and no key of ours is dropped as unknown; 1 not.
"""
import asyncio
import importlib
import json
import sys
import tempfile

import voluptuous as vol
from homeassistant.components.mqtt import discovery
from homeassistant.components.mqtt.schemas import DEVICE_DISCOVERY_SCHEMA
from homeassistant.const import __version__
from homeassistant.core import HomeAssistant


async def main(path):
    # Templates are parsed for an instance of Home Assistant; it is never started.
    HomeAssistant(tempfile.gettempdir())
    with open(path, encoding="utf-8") as file:
        payload = json.load(file)
    discovery._replace_all_abbreviations(payload)
    DEVICE_DISCOVERY_SCHEMA(payload)
    refused = []
    for key, component in payload["components"].items():
        component = dict(component)
        platform = component.pop("platform")
        if not component:
            # Home Assistant is told that it is gone; DEVICE_DISCOVERY_SCHEMA has looked at it.
            continue
        discovery._merge_common_device_options(component, payload)
        component["device"], component["origin"] = payload["device"], payload["origin"]
        schema = importlib.import_module(f"homeassistant.components.mqtt.{platform}").DISCOVERY_SCHEMA
        try:
            known = schema(component)
        except vol.Invalid as error:
            refused.append(f"{key}: {error}")
            continue
        # Unknown keys are dropped without a word: a typing error would be one.
        dropped = set(component) - {str(k) for k in known} - {"origin"}
        if dropped:
            refused.append(f"{key}: unknown keys {sorted(dropped)}")
    print(f"Home Assistant {__version__}: {len(payload['components'])} components, {len(refused)} refused")
    for line in refused:
        print("REFUSED", line)
    return bool(refused)


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main(sys.argv[1])))
    except vol.Invalid as error:
        print("REFUSED", error)
        sys.exit(1)
