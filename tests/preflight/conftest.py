"""An AWS account in moto, a role in it, and an endpoint that takes the answers for CloudFormation."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import ssl
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from moto import mock_aws
from tests.preflight.simulator import Simulator
from tests.preflight.world import World


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test can use the real AWS, or a person's credentials."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "AWS_SAM_LOCAL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    monkeypatch.setenv("PREFLIGHT_PATIENCE", "0")
    with mock_aws():
        yield


# The endpoints, which each session would read again.
_READ: Any = botocore.session.get_session()


def fast_session() -> boto3.session.Session:
    """A session with its own hooks, which reads no file of botocore."""
    core: Any = botocore.session.get_session()
    resolver = _READ._get_internal_component("endpoint_resolver")
    core._internal_components.register_component("endpoint_resolver", resolver)
    return boto3.session.Session(botocore_session=core, region_name="us-east-1")


@pytest.fixture
def session() -> boto3.session.Session:
    """A session for one test."""
    return fast_session()


@pytest.fixture
def simulator(session: boto3.session.Session) -> Simulator:
    return Simulator(session)


@pytest.fixture
def world(session: boto3.session.Session, simulator: Simulator) -> World:
    return World(session, simulator)


class Endpoint:
    """The server of the pre-signed URL; `taken` is every answer, `statuses` are its first responses."""

    def __init__(self, certificate: Path) -> None:
        self.taken: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.statuses: list[int] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = endpoint.statuses.pop(0) if endpoint.statuses else 200
                if status == 200:
                    endpoint.bodies.append(body)
                    endpoint.taken.append(json.loads(body))
                    endpoint.headers.append(dict(self.headers))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Logs nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.origin = f"https://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.origin}/stack?X-Amz-Signature=do-not-log"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def answer(self) -> dict[str, Any]:
        """The only answer; a second one would be a mistake."""
        assert len(self.taken) == 1
        assert len(self.bodies[0]) <= 4096
        return self.taken[0]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate and its key, for this machine's own address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "preflight tests")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "endpoint.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def endpoint(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    # urlopen keeps its first opener, and the certificates that it had.
    monkeypatch.setattr(urllib.request, "_opener", None)
    server = Endpoint(certificate)
    monkeypatch.setenv("PREFLIGHT_RESPONSE_ORIGINS", server.origin)
    yield server
    server.close()
