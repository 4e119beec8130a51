"""The shipped deploy/nginx.conf in front of a server of ours: only ports, paths and the certificate are
replaced by those of the test."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.own_servers import free_port
from tests.stack import ROOT

HOST = "api.kaivox.example"
PROGRAM = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")

_MAIN = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/main.log info;
events {{ worker_connections 512; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    # As Debian's own nginx.conf, with which the shipped one must not collide.
    sendfile on;
    types_hash_max_size 2048;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_prefer_server_ciphers on;
    access_log {folder}/main-access.log;
    gzip on;
    include {folder}/conf.d/*.conf;
}}
"""


@dataclass(frozen=True)
class Nginx:
    http: int
    https: int
    folder: Path

    def start(self) -> subprocess.Popen[bytes]:
        """Starts it; returns when it accepts connections."""
        (self.folder / "pid").unlink(missing_ok=True)
        command = [str(PROGRAM), "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]
        with (self.folder / "stderr").open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
        _wait(process, self)
        return process

    def logs(self) -> str:
        """Everything that it wrote anywhere."""
        return "".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))

    def access_log(self) -> list[str]:
        return (self.folder / "kaivox.log").read_text().splitlines()


@contextmanager
def running_nginx(folder: Path, *upstreams: int) -> Iterator[Nginx]:
    """nginx as shipped, in front of the ports `upstreams`."""
    nginx = configure(folder, *upstreams)
    process = nginx.start()
    try:
        yield nginx
    finally:
        process.terminate()
        process.wait(timeout=20)


def configure(folder: Path, *upstreams: int) -> Nginx:
    """Writes the configuration and a certificate into the new folder `folder`."""
    conf = folder / "conf.d"
    conf.mkdir(parents=True)
    nginx = Nginx(free_port(), free_port(), folder)
    _make_certificate(folder)
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    for old, new in {
        "listen 80": f"listen 127.0.0.1:{nginx.http}",
        "listen 443": f"listen 127.0.0.1:{nginx.https}",
        f"/etc/letsencrypt/live/{HOST}": str(folder),
        "/var/log/nginx": str(folder),
    }.items():
        assert old in text
        text = text.replace(old, new)
    (conf / "kaivox.conf").write_text(text)
    shipped = (ROOT / "deploy" / "upstream.conf").read_text()
    server = next(line for line in shipped.splitlines() if "127.0.0.1:8000" in line)
    servers = [server.replace("8000", str(port)) for port in upstreams]
    (conf / "upstream.conf").write_text(shipped.replace(server, "\n".join(servers)))
    (folder / "nginx.conf").write_text(_MAIN.format(folder=folder))
    return nginx


def _make_certificate(folder: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}",
         "-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")],
        check=True,
        capture_output=True,
    )  # fmt: skip


def _wait(process: subprocess.Popen[bytes], nginx: Nginx) -> None:
    deadline = time.monotonic() + 30
    while not (nginx.folder / "pid").exists():
        assert process.poll() is None, (nginx.folder / "stderr").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
