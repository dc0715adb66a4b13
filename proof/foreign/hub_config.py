"""Gives a configuration free loopback ports, a data directory and a token: hub_config.py HUB.toml TOKEN.toml DATA"""
import re
import sys

path, token, data = sys.argv[1:]
text = open(path).read()
hub = f'data_dir = "{data}"\nudp_bind = "127.0.0.1:0"\nhttp_bind = "127.0.0.1:0"\n'
if "[hub]" in text:
    kept = re.sub(r"(?m)^(data_dir|udp_bind|http_bind) = .*\n", "", text)
    text = kept.replace("[hub]\n", "[hub]\n" + hub, 1)
else:
    text = f"[hub]\n{hub}\n{text}"
open(path, "w").write(text + "\n" + open(token).read())
