"""Everything that can be set on a gateway; read once, at the start."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from triscribe.errors import UsageError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OPENAI_MODELS = (
    "whisper-1",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-transcribe-2025-12-15",
    "gpt-4o-transcribe-diarize",
    "gpt-transcribe",
    "gpt-live-transcribe",
    "gpt-realtime-whisper",
)


class GatewaySettings(BaseSettings):
    """Settings of `triscribe gateway`; each is also an environment variable, TRISCRIBE_GATEWAY_ and its name."""

    model_config = SettingsConfigDict(env_prefix="TRISCRIBE_GATEWAY_", frozen=True, extra="forbid")

    server: str = "127.0.0.1:8001"
    """HOST:PORT of Triton's gRPC endpoint, or of a balancer in front of several; dns:///HOST:PORT asks the name for
    all its addresses and goes round them."""
    server_ca: Path | None = None
    """PEM authority of Triton's certificate; None talks plaintext to it."""
    server_cert: Path | None = None
    server_key: Path | None = None
    host: str = "127.0.0.1"
    """Address to listen on; an IPv6 address with or without brackets."""
    port: int = Field(default=8443, ge=0, le=65535)
    """gRPC port; 0 chooses a free one."""
    http_host: str = "127.0.0.1"
    """Address of the HTTP door."""
    http_port: int = Field(default=8080, ge=0, le=65535)
    """Port of the HTTP door, which speaks OpenAI's API; 0 opens none."""
    http_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Web pages that may call the HTTP door from a browser, such as https://app.example, or "*"; as a variable,
    separated by commas. Calls from any other page are refused."""
    http_models: Annotated[dict[str, str], NoDecode] = Field(default_factory=lambda: dict.fromkeys(_OPENAI_MODELS, ""))
    """Further names of served models at the HTTP door; an empty value is the first that is served. As a variable:
    whisper-1=large-v3,gpt-transcribe"""
    header_s: float = Field(default=20.0, gt=0)
    """Longest time in which an HTTP caller sends the head of a request."""
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(default=9464, ge=0, le=65535)
    """Prometheus; 0 chooses a free port, None switches it off."""

    health_port: int | None = Field(default=None, ge=0, le=65535)
    """A plaintext port that answers grpc.health.v1 only, for probes that speak no TLS; 0 chooses a free one, None
    opens none."""

    tls_cert: Path | None = None
    """PEM certificate chain. Files are read again when they change, so a renewal needs no restart."""
    tls_key: Path | None = None
    """PEM private key."""
    tls_client_ca: Path | None = None
    """PEM authority; callers must show a certificate signed by it (mTLS)."""
    tokens: Path | None = None
    """File of hashed bearer tokens, made by `triscribe gateway-token`; read again when it changes."""
    allow_plaintext: bool = False
    """Listen beyond this machine without TLS, because a mesh or an ingress does that part."""

    diarizer: str | None = None
    """HOST:PORT of a remote diarizer, or "local" to run one beside the gateway. None: no diarization."""
    diarizer_token: str | None = Field(default=None, repr=False)
    diarizer_ca: Path | None = None
    """PEM authority of a remote diarizer; None talks plaintext to it."""
    diarizer_cert: Path | None = None
    diarizer_key: Path | None = None
    diarizer_required: bool = False
    """Report "not serving" while the diarizer is gone."""

    max_message_bytes: int = Field(default=16 * 2**20, ge=1024)
    max_recognize_s: float = Field(default=60.0, gt=0)
    """Longest audio of `Recognize`."""
    max_upload_s: float = Field(default=4 * 3600.0, gt=0)
    """Longest audio of `UploadRecognize`; each hour takes 230 MB of memory while it is worked on."""
    max_upload_bytes: int = Field(default=4 * 2**30, gt=0)
    """Largest file of `UploadRecognize`; it lies in a temporary file until it is transcribed."""
    max_spool_bytes: int = Field(default=16 * 2**30, gt=0)
    """Bytes of all uploads together that lie in temporary files; beyond, uploads are refused for a while."""
    max_streaming_s: float = Field(default=4 * 3600.0, gt=0)
    """Longest stream of `StreamingRecognize`."""
    max_calls: int = Field(default=512, ge=1)
    """Open calls."""
    max_calls_per_caller: int = Field(default=256, ge=1)
    """Open calls of one token, or of one address where there are no tokens."""
    uploads_at_once: int = Field(default=4, ge=1)
    """Uploads decoded and transcribed at once; others wait, their files on disk."""
    upload_concurrency: int = Field(default=16, ge=1)
    """Chunks of one upload in flight."""
    idle_s: float = Field(default=300.0, gt=0)
    """Longest pause of a caller between two messages of a stream, or two pieces of a body."""
    call_timeout_s: float = Field(default=300.0, gt=0)
    """Longest `Recognize`, whatever the caller's deadline."""

    health_interval_s: float = Field(default=3.0, gt=0)
    """How often Triton and the diarizer are asked for signs of life."""
    keepalive_s: float = Field(default=60.0, gt=0)
    """Silent connections are probed this often, so that dead callers are noticed."""
    drain_s: float = Field(default=30.0, ge=0)
    """After SIGTERM, how long open calls may go on before they get UNAVAILABLE."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    tracing: bool = False
    """Export OpenTelemetry traces over OTLP; the OTEL_* variables say where to. Needs the extra `tracing`."""

    @field_validator("host", "http_host", "metrics_host")
    @classmethod
    def _without_brackets(cls, host: str) -> str:
        return host.removeprefix("[").removesuffix("]")

    @field_validator("http_origins", mode="before")
    @classmethod
    def _listed(cls, origins: object) -> object:
        if not isinstance(origins, str):
            return origins
        return tuple(origin.strip().rstrip("/") for origin in origins.split(",") if origin.strip())

    @field_validator("http_models", mode="before")
    @classmethod
    def _paired(cls, names: object) -> object:
        if not isinstance(names, str):
            return names
        pairs = (name.partition("=") for name in names.split(",") if name.strip())
        return {alias.strip(): model.strip() for alias, _, model in pairs}

    @model_validator(mode="after")
    def _consistent(self) -> GatewaySettings:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise UsageError("TLS needs both a certificate and its key.")
        if (self.server_cert is None) != (self.server_key is None) or (self.server_cert and not self.server_ca):
            raise UsageError("Triton's TLS needs an authority; a certificate for it needs its key.")
        if self.tls_client_ca and not self.tls_cert:
            raise UsageError("An authority for callers' certificates needs TLS: give a certificate and its key.")
        for host in (self.host, self.http_host if self.http_port else self.host):
            if host not in _LOOPBACK and not self.tls_cert and not self.allow_plaintext:
                raise UsageError(
                    f"Listening on {host} needs TLS: give a certificate and its key, or allow plaintext because"
                    " something in front of the gateway encrypts."
                )
        return self
