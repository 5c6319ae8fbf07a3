"""What is started: a command line, and a configuration file. What is run and what the page shows are one text.

Names in angle brackets are filled in: <listen> is the program's own address, <app> that of the server behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, eq=False)
class Program:
    """A server, or a proxy.

    Attributes:
        name: of it, and of how it is set up.
        command: words of its command line; the first is its name.
        config: of its configuration file, the part that matters.
        around: the rest of that file, with <config> in it.
        needs: what to install to have it.
        is_tls: whether it speaks TLS to its client, and HTTP/2.
        wants_gzip: whether its client accepts gzip.
        files: more files of its folder.
    """

    name: str
    command: str
    needs: str
    config: str = ""
    around: str = "<config>"
    is_tls: bool = False
    wants_gzip: bool = False
    files: dict[str, str] = field(default_factory=dict[str, str])


GUNICORN = Program(
    "gunicorn gthread",
    "gunicorn --bind <listen> --worker-class gthread --threads 16 --graceful-timeout 5 <module>",
    "pip: gunicorn",
)
_UVICORN = "uvicorn --host <host> --port <port> --timeout-graceful-shutdown 5"
UVICORN = Program("uvicorn", f"{_UVICORN} --http httptools <module>", "pip: uvicorn httptools")
UVICORN_H11 = Program("uvicorn, h11", f"{_UVICORN} --http h11 <module>", "pip: uvicorn")
DAPHNE = Program("daphne", "daphne -b <host> -p <port> <module>", "pip: daphne")
CHEROOT = Program("cheroot", "cheroot --bind <listen> --threads 16 <module>", "pip: cheroot")

_UWSGI = "--home <venv> --threads 16 --die-on-term --module <module>"
UWSGI_SOCKET = Program("uWSGI --http-socket", f"uwsgi --http-socket <listen> {_UWSGI}", "pip: uwsgi")
UWSGI_ROUTER = Program("uWSGI --http", f"uwsgi --http <listen> {_UWSGI}", "pip: uwsgi")
UWSGI_CHUNKED = Program(
    "uWSGI --http, chunked",
    f"uwsgi --http <listen> --http-auto-chunked --http-keepalive {_UWSGI}",
    "pip: uwsgi",
)
UWSGI = Program("uWSGI --socket", f"uwsgi --socket <listen> {_UWSGI}", "pip: uwsgi")

_APACHE = "apache2 -D FOREGROUND -f <folder>/config"
_APACHE_AROUND = """\
ServerRoot "<folder>"
ServerName localhost
PidFile "<folder>/pid"
ErrorLog "<folder>/error.log"
Mutex file:<folder>
DefaultRuntimeDir "<folder>"
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
<modules>
Listen <listen>
<config>
"""
MOD_WSGI = Program(
    "mod_wsgi, daemon mode",
    _APACHE,
    "Debian: apache2 apache2-dev, pip: mod_wsgi",
    """\
WSGIDaemonProcess app threads=16 python-home=<venv> python-path=<paths> display-name=app
WSGIProcessGroup app
WSGIApplicationGroup %{GLOBAL}
WSGIScriptAlias / <folder>/app.wsgi
""",
    _APACHE_AROUND.replace("<modules>", "LoadModule wsgi_module <mod_wsgi>\nWSGISocketPrefix <folder>/wsgi"),
    files={"app.wsgi": "from <package> import app as application\n"},
)
MOD_WSGI_DRAINED = Program(
    "mod_wsgi, daemon mode, subscribe_shutdown",
    MOD_WSGI.command,
    MOD_WSGI.needs,
    MOD_WSGI.config,
    MOD_WSGI.around,
    files={
        "app.wsgi": """\
import mod_wsgi
import stream_adapter as sa
from <package> import app as application

mod_wsgi.subscribe_shutdown(lambda event, **details: sa.drain(3.0))
"""
    },
)

_NGINX = "nginx -c <folder>/config -p <folder>"
_NGINX_AROUND = """\
daemon off;
pid <folder>/pid;
error_log <folder>/error.log info;
events {}
http {
    access_log off;
    client_body_temp_path <folder>/a;
    proxy_temp_path <folder>/b;
    fastcgi_temp_path <folder>/c;
    uwsgi_temp_path <folder>/d;
    scgi_temp_path <folder>/e;
<config>
}
"""


def _nginx(name: str, *lines: str, is_tls: bool = False, wants_gzip: bool = False) -> Program:
    listen = "listen <listen> ssl http2;\n    ssl_certificate <chain>;\n    ssl_certificate_key <key>;"
    inside = "\n        ".join(lines)
    config = f"""\
server {{
    {listen if is_tls else "listen <listen>;"}
    location / {{
        {inside}
    }}
}}
"""
    needs = "Debian: nginx-light"
    return Program(name, _NGINX, needs, config, _NGINX_AROUND, is_tls=is_tls, wants_gzip=wants_gzip)


_PASS = "proxy_pass http://<app>;"
_HTTP_1_1 = ("proxy_http_version 1.1;", 'proxy_set_header Connection "";')
_GZIP = ("gzip on;", "gzip_proxied any;", "gzip_types *;", "gzip_http_version 1.0;")
_UNBUFFERED = "proxy_buffering off;"

NGINX = _nginx("nginx as it comes", _PASS)
NGINX_1_1 = _nginx("nginx, HTTP/1.1", _PASS, *_HTTP_1_1)
NGINX_UNBUFFERED = _nginx("nginx, HTTP/1.1, unbuffered", _PASS, *_HTTP_1_1, _UNBUFFERED)
NGINX_GZIP = _nginx("nginx, HTTP/1.1, gzip", _PASS, *_HTTP_1_1, *_GZIP, wants_gzip=True)
NGINX_GZIP_UNBUFFERED = _nginx(
    "nginx, HTTP/1.1, gzip, unbuffered", _PASS, *_HTTP_1_1, _UNBUFFERED, *_GZIP, wants_gzip=True
)
NGINX_HTTP2 = _nginx("nginx, HTTP/2 to the client", _PASS, *_HTTP_1_1, _UNBUFFERED, is_tls=True)
NGINX_UWSGI = _nginx(
    "nginx, uwsgi_pass", "uwsgi_pass <app>;", "include /etc/nginx/uwsgi_params;", "uwsgi_buffering off;"
)

_CADDY = "caddy run --config <folder>/config --adapter caddyfile"
_CADDY_AROUND = "{\n\tadmin off\n\tauto_https off\n\tstorage file_system <folder>\n}\n<config>"
CADDY = Program("Caddy", _CADDY, "Debian: caddy", "http://<listen> {\n\treverse_proxy <app>\n}\n", _CADDY_AROUND)
CADDY_HTTP2 = Program(
    "Caddy, HTTP/2 to the client",
    _CADDY,
    "Debian: caddy",
    "https://<host>:<port> {\n\ttls <chain> <key>\n\treverse_proxy <app>\n}\n",
    _CADDY_AROUND,
    is_tls=True,
)

HAPROXY = Program(
    "HAProxy",
    "haproxy -f <folder>/config",
    "Debian: haproxy",
    """\
defaults
    mode http
    timeout connect 5s
    timeout client 75s
    timeout server 75s     # above the keepalive of event streams, which is 15 s
frontend web
    bind <listen>
    default_backend app
backend app
    server app <app>
""",
)
HAPROXY_ABORTING = Program(
    "HAProxy, abortonclose",
    HAPROXY.command,
    HAPROXY.needs,
    HAPROXY.config.replace("    mode http\n", "    mode http\n    option abortonclose\n"),
)

APACHE = Program(
    "Apache mod_proxy",
    _APACHE,
    "Debian: apache2",
    'ProxyPass "/" "http://<app>/"\n',
    _APACHE_AROUND.replace(
        "<modules>",
        "LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so\n"
        "LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so",
    ),
)
APACHE_FLUSHING = Program(
    "Apache mod_proxy, flushpackets",
    _APACHE,
    "Debian: apache2",
    'ProxyPass "/" "http://<app>/" flushpackets=on\n',
    APACHE.around,
)
