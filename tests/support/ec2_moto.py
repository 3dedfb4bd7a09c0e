"""moto's server as a process of the tests: `python -m tests.support.ec2_moto`. Ends with its standard input."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

os.environ.update(
    MOTO_ENABLE_AMI_VALIDATION="1",
    MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION="1",
    MOTO_AMIS_PATH=str(Path(__file__).with_name("ec2_images.json")),
)

from moto.server import ThreadedMotoServer


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    print(json.dumps({"port": port}), flush=True)  # noqa: T201 - the line its starter waits for
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
