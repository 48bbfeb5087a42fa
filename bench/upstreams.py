"""The upstreams, which are also the yardsticks: nginx's configuration and the stream server's call.

One nginx worker without logs or limits on requests: it answers plain requests at once with one
fixed body, and, with other rules, is the proxy that every gateway is compared with.
"""

import os
import shutil
import sys
from pathlib import Path

from bench.endpoints import answer_body


def nginx_config(port: int, locations: str, top: str = "") -> str:
    """Return a whole configuration of one nginx worker without logs or request limits."""
    return f"""
{"user root;" if os.geteuid() == 0 else ""}
worker_processes 1; daemon off; pid nginx.pid; error_log stderr crit;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; tcp_nodelay on;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  {top}
  server {{ listen 127.0.0.1:{port} backlog=4096; {locations} }}
}}
"""


def nginx_command(work: Path, config: str) -> tuple[str, ...]:
    """Write a configuration; return the command that serves it."""
    path = work / "nginx.conf"
    path.write_text(config)
    return (shutil.which("nginx") or "nginx", "-p", str(work), "-c", str(path))


def instant_answer() -> str:
    """Return nginx's rule for the plain upstream: one fixed answer, at once."""
    body = answer_body().decode()
    return f"location / {{ default_type application/json; return 200 '{body}'; }}"


def stream_server_command(port: int) -> tuple[str, ...]:
    """Return the command of the upstream for streams."""
    return (sys.executable, str(Path(__file__).with_name("stream_server.py")), str(port))
